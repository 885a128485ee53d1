// Command shimtest runs the plugin under Telegraf's stock shim, to prove that it
// does not depend on our own host. It is a module of its own: the shim costs
// 16 MB.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/influxdata/telegraf/plugins/common/shim"

	_ "github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

func main() {
	config := flag.String("config", "", "configuration file")
	poll := flag.Duration("poll_interval", time.Second, "time between two ticks")
	flag.Parse()
	s := shim.New()
	if err := s.LoadConfig(config); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := s.Run(*poll); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
