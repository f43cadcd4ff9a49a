"""The phone engine, Asterisk: fetching it, configuring it, running it, listening to it, commanding it."""
