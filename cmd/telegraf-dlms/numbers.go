package main

import (
	"fmt"
	"strconv"
	"strings"
)

func inRange(name string, n, low, high int) error {
	if n < low || n > high {
		return fmt.Errorf("%s %d: out of range, allowed are %d to %d", name, n, low, high)
	}
	return nil
}

// addressList reads 1,2,3, the value of a flag; "" is nil.
func addressList(name, s string, most int) ([]uint16, error) {
	if s == "" {
		return nil, nil
	}
	var out []uint16
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("%s %q: a list of numbers is expected, as in 1,2,3", name, s)
		}
		if err := inRange(name, n, 1, most); err != nil {
			return nil, err
		}
		out = append(out, uint16(n))
	}
	return out, nil
}
