package execd

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/influxdata/telegraf"
)

// NewLogger returns a logger which writes one line for each message to w,
// starting with "E! ", "W! ", "I! " or "D! ", as inputs.execd reads them; D
// only if debug is set. On a terminal the time stands before it, in colour.
func NewLogger(w io.Writer, debug bool) telegraf.Logger {
	level := telegraf.Info
	if debug {
		level = telegraf.Debug
	}
	return &logger{w: w, level: level, terminal: IsTerminal(w)}
}

// IsTerminal reports whether w is a character device.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

type logger struct {
	level    telegraf.LogLevel
	terminal bool

	mu sync.Mutex
	w  io.Writer
}

func (l *logger) log(level telegraf.LogLevel, msg string) {
	if !l.level.Includes(level) {
		return
	}
	line := level.Indicator() + " " + oneLine(msg) + "\n"
	if l.terminal {
		line = time.Now().Format("15:04:05 ") + colour(level) + line[:2] + "\x1b[0m" + line[2:]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.w, line) // there is nobody left to tell
}

// oneLine joins the lines of a message and replaces control characters.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(strings.ToValidUTF8(s, "\ufffd")), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}

func colour(level telegraf.LogLevel) string {
	switch level {
	case telegraf.Error:
		return "\x1b[31m"
	case telegraf.Warn:
		return "\x1b[33m"
	case telegraf.Info:
		return "\x1b[32m"
	default:
		return "\x1b[2m"
	}
}

// Level implements telegraf.Logger.
func (l *logger) Level() telegraf.LogLevel { return l.level }

// AddAttribute implements telegraf.Logger; lines carry no attributes.
func (l *logger) AddAttribute(string, any) {}

func (l *logger) Errorf(format string, args ...any) {
	l.log(telegraf.Error, fmt.Sprintf(format, args...))
}
func (l *logger) Error(args ...any) { l.log(telegraf.Error, fmt.Sprint(args...)) }
func (l *logger) Warnf(format string, args ...any) {
	l.log(telegraf.Warn, fmt.Sprintf(format, args...))
}
func (l *logger) Warn(args ...any) { l.log(telegraf.Warn, fmt.Sprint(args...)) }
func (l *logger) Infof(format string, args ...any) {
	l.log(telegraf.Info, fmt.Sprintf(format, args...))
}
func (l *logger) Info(args ...any) { l.log(telegraf.Info, fmt.Sprint(args...)) }
func (l *logger) Debugf(format string, args ...any) {
	l.log(telegraf.Debug, fmt.Sprintf(format, args...))
}
func (l *logger) Debug(args ...any)     { l.log(telegraf.Debug, fmt.Sprint(args...)) }
func (l *logger) Tracef(string, ...any) {}
func (l *logger) Trace(...any)          {}
