package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
)

// progress tells on a terminal that something still goes on, if it takes more
// than a second. The function it returns ends that.
func progress(w io.Writer, what string) (done func()) {
	if !execd.IsTerminal(w) {
		return func() {}
	}
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for seconds := 1; ; seconds++ {
			select {
			case <-quit:
				if seconds > 1 {
					fmt.Fprint(w, "\r\x1b[K")
				}
				return
			case <-ticker.C:
				fmt.Fprintf(w, "\r\x1b[K%s ... %d s", what, seconds)
			}
		}
	})
	return func() {
		close(quit)
		wg.Wait()
	}
}
