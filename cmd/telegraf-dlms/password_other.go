//go:build !linux && !darwin

package main

import (
	"context"
	"errors"
)

// askPassword is not offered on this system: a password would be shown.
func askPassword(context.Context, string) (string, error) {
	return "", errors.New("a password cannot be asked for without showing it on this system: use file:PATH or env:NAME")
}
