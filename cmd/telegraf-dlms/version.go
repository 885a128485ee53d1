package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker; else the version of the module counts.
var version string

func runVersion(_ context.Context, c *command, s streams, args []string) int {
	if _, err := c.parse(c.newFlags(), args, 0, 0, s.err); err != nil {
		return exitFor(err)
	}
	v := version
	if info, ok := debug.ReadBuildInfo(); v == "" && ok {
		v = info.Main.Version
	}
	if v == "" {
		v = "(devel)"
	}
	return c.show(s, fmt.Sprintf("telegraf-dlms %s %s %s/%s\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH), exitOK)
}
