package udp

import "golang.org/x/sys/windows"

const (
	addressInUse = windows.WSAEADDRINUSE
	forbidden    = windows.WSAEACCES // a port that the system keeps for itself
)

func reservedPorts() string { return "" }
