package main

import (
	"fmt"
	"io"
	"strings"
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

// bar is a progress bar on a terminal, for what takes more than a second.
type bar struct {
	w     io.Writer // nil: no terminal
	what  string
	began time.Time
	shown bool
}

func newBar(w io.Writer, what string) *bar {
	b := &bar{what: what, began: time.Now()}
	if execd.IsTerminal(w) {
		b.w = w
	}
	return b
}

// show shows that so many of all are done; 0 of all: it is not known how many.
func (b *bar) show(done, all int) {
	taken := time.Since(b.began)
	if b.w == nil || taken < time.Second {
		return
	}
	b.shown = true
	if all == 0 {
		fmt.Fprintf(b.w, "\r\x1b[K%d %s listed ... %d s", done, b.what, int(taken.Seconds()))
		return
	}
	const width = 30
	filled := width * done / all
	line := fmt.Sprintf("[%s%s] %3d %%  %d of %d %s", strings.Repeat("#", filled), strings.Repeat(".", width-filled), 100*done/all, done, all, b.what)
	if done > 0 {
		left := time.Duration(float64(taken) / float64(done) * float64(all-done)).Round(time.Second)
		line += fmt.Sprintf(", about %s left", left)
	}
	fmt.Fprint(b.w, "\r\x1b[K"+line)
}

// end removes it.
func (b *bar) end() {
	if b.shown {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
