"""Text for Sparring: networks, data, rewards and metrics."""

from sparring import Plugin

plugin = Plugin("text")
