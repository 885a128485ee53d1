package record

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

var errTooLong = errors.New("the line is too long")

// Read returns the lines of a record, none of them longer than most octets
// (MaxLine is enough). Errors name the line. After one, the next line follows,
// unless the file is no record or cannot be read.
//
// A recorder that was killed leaves its last line torn: it is left out if it
// says nothing any more.
func Read(r io.Reader, most int) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		in := bufio.NewReader(r)
		for n := 1; ; n++ {
			text, err := readLine(in, most)
			torn := errors.Is(err, io.EOF)
			if torn && text == "" && n > 1 {
				return
			}
			last := torn
			var l Line
			switch {
			case err != nil && !torn && !errors.Is(err, errTooLong):
				last = true
			case n == 1 && text != header:
				last, err = true, headerError(text)
			case errors.Is(err, errTooLong):
				err = fmt.Errorf("%w: at most %d octets are expected", errTooLong, most)
			case text == "" || text[0] == '#':
				continue
			default:
				if l, err = parse(text); err != nil && torn {
					return
				}
			}
			if err != nil {
				l, err = Line{}, fmt.Errorf("line %d: %w", n, err)
			}
			if !yield(l, err) || last {
				return
			}
		}
	}
}

func headerError(text string) error {
	if strings.HasPrefix(text, "# telegraf-dlms record ") {
		return fmt.Errorf("%q is expected, and %q found: the file is of another version of this program", header, short(text))
	}
	return fmt.Errorf("%q is expected, and %q found: not a file of telegraf-dlms dump -record", header, short(text))
}

// short is the beginning of a text, for errors.
func short(s string) string { return s[:min(len(s), 40)] }

// readLine returns a line without its end. With io.EOF it had none; with
// errTooLong it was passed over.
func readLine(in *bufio.Reader, most int) (string, error) {
	var line []byte
	long := false
	for {
		part, err := in.ReadSlice('\n')
		end := err == nil
		part = bytes.TrimSuffix(part, []byte("\n"))
		if long = long || len(line)+len(part) > most; !long {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case long && (end || errors.Is(err, io.EOF)):
			return "", errTooLong
		default:
			return string(bytes.TrimSuffix(line, []byte("\r"))), err
		}
	}
}

// parse reads a line. Octets do not appear in its errors: they may be a password.
func parse(text string) (l Line, err error) {
	at, text, _ := strings.Cut(text, " ")
	endpoint, text, _ := strings.Cut(text, " ")
	mark, text, _ := strings.Cut(text, " ")
	if l.Time, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return l, fmt.Errorf("a time like 2026-11-27T23:04:05.123456Z is expected, and %q found", short(at))
	}
	if l.Endpoint = clean(endpoint); l.Endpoint == "" {
		return l, errors.New("an endpoint like tcp://10.0.0.5:4059 is expected behind the time, and nothing found")
	}
	switch mark {
	case "=":
		if l.Note = clean(text); l.Note == "" {
			return l, errors.New("a text is expected behind =, and nothing found")
		}
		return l, nil
	case ">":
		l.Sent = true
	case "<":
		l.Received = true
	default:
		return l, fmt.Errorf("> (sent), < (received) or = (note) is expected behind the endpoint, and %q found", short(mark))
	}
	if l.Octets, err = hex.DecodeString(strings.TrimSpace(text)); err != nil || len(l.Octets) == 0 {
		return l, fmt.Errorf("octets in hexadecimal digits are expected behind %s, as 7EA0, and something else found", mark)
	}
	return l, nil
}

// Connections parts the lines of one endpoint where it was opened. What was noted
// before the first is left out.
func Connections(lines []Line) [][]Line {
	var all [][]Line
	begin, open := 0, false
	take := func(end int) {
		if open {
			all = append(all, lines[begin:end])
		}
		begin, open = end, false
	}
	for i := range lines {
		if lines[i].Note == Opened {
			take(i)
			open = true
		}
		open = open || lines[i].Sent || lines[i].Received
	}
	take(len(lines))
	return all
}
