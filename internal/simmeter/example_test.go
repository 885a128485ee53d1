package simmeter_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter"
)

// A simulated meter needs nothing but these two packages.
func Example() {
	noon := time.Date(2026, time.June, 17, 12, 0, 0, 0, time.UTC)
	meter := dlmstest.NewMeter(dlmstest.Config{}, simmeter.New(simmeter.Config{Now: func() time.Time { return noon }, Location: time.UTC}))
	client, server := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- meter.ServeConn(ctx, server) }()

	for _, request := range []string{
		"000100100001001F601DA109060760857405080101BE10040E01000000065F1F0400001E1DFFFF", // AARQ
		"000100100001000DC001C100080000010000FF0200",                                     // GET of the clock
	} {
		answer := make([]byte, 64)
		octets, _ := hex.DecodeString(request)
		_, _ = client.Write(octets)
		n, _ := client.Read(answer)
		fmt.Printf("%x\n", answer[8:n])
	}
	cancel()
	fmt.Println(<-done)
	// Output:
	// 6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040000121408000007
	// c401c100090c07ea0611030c000000000000
	// <nil>
}
