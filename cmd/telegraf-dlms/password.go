package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// passwordFlag turns the value of a password flag into a value of the
// configuration key: file:, env: and credential: stay, "-" asks on the terminal. Anything
// else is refused, and not shown: arguments can be read by every user of the
// machine.
func passwordFlag(ctx context.Context, name, value string) (string, error) {
	switch {
	case value == "-":
		password, err := askPassword(ctx, strings.ReplaceAll(name, "_", " ")+": ")
		if err != nil {
			return "", err
		}
		return "text:" + password, nil
	case outsideArguments(value), name == "dedicated_key" && value == "random": // which is a word
		return value, nil
	case name == "dedicated_key":
		return "", errors.New("-dedicated_key takes random, file:PATH, env:NAME, credential:NAME or - (ask on the terminal): what stands in the arguments can be read by others")
	default:
		return "", fmt.Errorf("-%s takes file:PATH, env:NAME, credential:NAME or - (ask on the terminal): what stands in the arguments can be read by others", name)
	}
}

// outsideArguments reports whether a flag only names the place of a secret.
func outsideArguments(value string) bool {
	return strings.HasPrefix(value, "file:") || strings.HasPrefix(value, "env:") || strings.HasPrefix(value, "credential:")
}

// readLine reads up to the end of a line, without it.
func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// readPassword returns the password itself that a password flag names.
func readPassword(ctx context.Context, value string) ([]byte, error) {
	text, err := passwordFlag(ctx, "password", value)
	if err != nil {
		return nil, err
	}
	var secret dlms_cosem.Secret
	if err := secret.UnmarshalText([]byte(text)); err != nil {
		return nil, err
	}
	password, err := secret.Get()
	if err != nil {
		return nil, fmt.Errorf("-password: %w", err)
	}
	return password, nil
}
