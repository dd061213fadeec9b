"""Images and bytes: pure functions that know no device and no network."""
