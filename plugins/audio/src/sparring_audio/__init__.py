"""Speech and other sound for Sparring: networks, data, features and metrics."""

from sparring import Plugin

plugin = Plugin("audio")
