"""The AirScan face: the scanners of this machine, offered by eSCL to phones and desktops on a listener of their own."""
