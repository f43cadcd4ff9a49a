"""The HTTP door: the Open API, health, metrics and documents."""
