package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// reading is one element of what `get -format json` prints.
type reading struct {
	OBIS  string `json:"obis"`
	Value any    `json:"value"`
	Text  string `json:"text"`
	Unit  string `json:"unit"`
	Error string `json:"error"`
}

// symbols are the units that the meter uses, by their code in the standard.
var symbols = map[uint8]string{
	0: "", 27: "W", 28: "VA", 29: "var", 30: "Wh", 31: "VAh", 32: "varh", 33: "A", 35: "V", 44: "Hz", 255: "",
}

// ours runs our program on a meter, with a state of its own, and decodes what it prints.
func ours[T any](ctx context.Context, binary string, l link, command string, arguments ...string) (list []T, err error) {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return oursIn[T](ctx, dir, binary, l, command, arguments...)
}

// oursIn does so with a state that is kept.
func oursIn[T any](ctx context.Context, dir, binary string, l link, command string, arguments ...string) (list []T, err error) {
	all := append(append([]string{command, "tcp://" + l.endpoint, "-format", "json"}, l.flags()...), arguments...)
	c := exec.CommandContext(ctx, binary, all...)
	c.Env = append(l.environ(), "STATE_DIRECTORY="+dir)
	out, err := run(c)
	if err != nil {
		return nil, fmt.Errorf("our program: %w", err)
	}
	return list, json.Unmarshal(out, &list)
}

// run is what a program printed. Its error has what it complained of.
func run(c *exec.Cmd) ([]byte, error) {
	var complaints bytes.Buffer
	c.Stderr = &complaints
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s%s", err, complaints.Bytes(), out)
	}
	return out, nil
}

// get lets our program read registers, texts and the clock, without classes.
func get(ctx context.Context, e *environment) (string, error) {
	c := e.meter.Contents
	registers := append(c.Registers, c.Extended...)
	codes := []string{"0.0.96.1.0.255", "0.0.1.0.0.255", c.Data[0].OBIS}
	for _, r := range registers {
		codes = append(codes, r.OBIS)
	}
	got, err := ours[reading](ctx, e.binary, e.link, "get", codes...)
	if err != nil {
		return "", err
	}
	if len(got) != len(registers)+3 {
		return "", fmt.Errorf("%d readings for %d codes", len(got), len(registers)+3)
	}
	if got[0].Text != c.Serial {
		return "", fmt.Errorf("serial number %+v, want %s", got[0], c.Serial)
	}
	if t, err := time.Parse(time.RFC3339, got[1].Text); err != nil || t.Unix() != c.Clock {
		return "", fmt.Errorf("clock %+v, want %s", got[1], time.Unix(c.Clock, 0).UTC())
	}
	if got[2].Value != float64(c.Data[0].Value) {
		return "", fmt.Errorf("counter %+v, want %d", got[2], c.Data[0].Value)
	}
	for i, r := range registers {
		if g := got[i+3]; g.OBIS != r.OBIS || g.Value != r.Value() || g.Unit != symbols[r.Unit] {
			return "", fmt.Errorf("got %+v, want %v %s", g, r.Value(), symbols[r.Unit])
		}
	}
	return fmt.Sprintf("%d values", len(got)), nil
}

// objects lets our program list the meter: all objects, with the values of the registers.
func objects(ctx context.Context, e *environment) (string, error) {
	got, err := ours[reading](ctx, e.binary, e.link, "objects")
	if err != nil {
		return "", err
	}
	c := e.meter.Contents
	by := map[string]reading{}
	for _, r := range got {
		by[r.OBIS] = r
		if r.Error != "" {
			return "", fmt.Errorf("%s: %s", r.OBIS, r.Error)
		}
	}
	registers := append(c.Registers, c.Extended...)
	for _, r := range registers {
		if have := by[r.OBIS]; have.Value != r.Value() || have.Unit != symbols[r.Unit] {
			return "", fmt.Errorf("%s: %+v, want %v %s", r.OBIS, have, r.Value(), symbols[r.Unit])
		}
	}
	if want := len(registers) + len(c.Data) + c.Others; len(by) != want {
		return "", fmt.Errorf("%d objects, %d codes, want %d", len(got), len(by), want)
	}
	return fmt.Sprintf("%d objects", len(got)), nil
}
