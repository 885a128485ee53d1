//go:build unix

package serial

import (
	"errors"
	"os"
	"syscall"
)

// mostDescriptors is the number from which on select, by which ports are
// waited for, does not take descriptors; a port needs three.
const (
	mostDescriptors = 1024
	needDescriptors = 3
)

// checkName looks at what the library does not tell, or would not survive.
func checkName(name string) error {
	info, err := os.Stat(name)
	switch {
	case err != nil && errors.Is(err, os.ErrNotExist):
		return &OpenError{Name: name, Kind: OpenMissing, Err: err}
	case err == nil && info.Mode()&os.ModeCharDevice == 0:
		return &OpenError{Name: name, Kind: OpenNoPort}
	default:
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		return &OpenError{Name: name, Kind: OpenDescriptors, Err: err}
	}
	defer f.Close()
	if f.Fd()+needDescriptors >= mostDescriptors {
		return &OpenError{Name: name, Kind: OpenDescriptors}
	}
	return nil
}

// gone reports whether the device was pulled out.
func gone(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.EBADF)
}
