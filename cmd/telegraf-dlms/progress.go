package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
)

// redrawn is the least time between two drawings of a bar.
const redrawn = 100 * time.Millisecond

// bar tells on a terminal how far something is that takes more than a second.
type bar struct {
	w     io.Writer // nil: no terminal
	width int       // of the terminal
	began time.Time
	quit  chan struct{}
	all   sync.WaitGroup

	mu    sync.Mutex
	text  string
	part  float64 // of all that is done, 0 to 1; negative: not known
	drawn time.Time
	shown bool
	away  bool // something else is being written
}

// newBar returns a bar that says text until it is told more. Its end is to be called.
func newBar(w io.Writer, text string) *bar {
	b := &bar{began: time.Now(), text: text, part: -1}
	if !execd.IsTerminal(w) {
		return b
	}
	b.w, b.width, b.quit = w, terminalWidth(w), make(chan struct{})
	b.all.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-b.quit:
				return
			case <-ticker.C:
				b.mu.Lock()
				b.draw()
				b.mu.Unlock()
			}
		}
	})
	return b
}

// set says what was done, and which part of all that is; negative: not known.
func (b *bar) set(part float64, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.part, b.text = part, text
	if time.Since(b.drawn) >= redrawn {
		b.draw()
	}
}

// count says that so many of all are done; 0 of all: it is not known how many.
func (b *bar) count(done, all int, what string) {
	if all == 0 {
		b.set(-1, fmt.Sprintf("%d %s listed", done, what))
		return
	}
	b.set(float64(done)/float64(all), fmt.Sprintf("%d of %d %s", done, all, what))
}

func (b *bar) draw() {
	taken := time.Since(b.began)
	if b.w == nil || b.away || taken < time.Second {
		return
	}
	b.shown, b.drawn = true, time.Now()
	fmt.Fprint(b.w, "\r\x1b[K"+cut(barLine(b.part, b.text, taken), b.width-1))
}

// barLine is what a bar looks like after that time.
func barLine(part float64, text string, taken time.Duration) string {
	if !(part >= 0) {
		return fmt.Sprintf("%s ... %d s", text, int(taken.Seconds()))
	}
	const width = 30
	part = min(part, 1)
	filled := int(width * part)
	line := fmt.Sprintf("[%s%s] %3d %%  %s", strings.Repeat("#", filled), strings.Repeat(".", width-filled), int(100*part), text)
	if part > 0.0001 {
		line += fmt.Sprintf(", about %s left", time.Duration(float64(taken)*(1-part)/part).Round(time.Second))
	}
	return line
}

func (b *bar) erase() {
	if b.shown {
		b.shown = false
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// end removes it.
func (b *bar) end() {
	if b.w == nil {
		return
	}
	close(b.quit)
	b.all.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
	b.away = true
}

// besideBar writes whole lines to where there may be a bar, and keeps why it cannot.
type besideBar struct {
	w   io.Writer
	bar *bar

	mu     sync.Mutex
	failed error
}

// Write implements io.Writer. The bar is away meanwhile.
func (o *besideBar) Write(p []byte) (int, error) {
	o.bar.keepAway(true)
	defer o.bar.keepAway(false)
	n, err := o.w.Write(p)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.failed = err
	}
	return n, err
}

// err is why the last write failed that did.
func (o *besideBar) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

func (b *bar) keepAway(away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if away {
		b.erase()
	}
	b.away = away
}
