"""Pages on their way from the scanner to a file: developed, judged, cleaned, read, split and written."""
