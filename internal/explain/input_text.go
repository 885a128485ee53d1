package explain

import (
	"strconv"
	"strings"
)

// Text is logs, hexdumps and what people paste. Data and what stands around it
// are told apart line by line:
//
//   - stamps of date and time are blanked out;
//   - a line of nothing but hexadecimal octets, with blanks, commas, colons,
//     quotes, brackets and 0x between them, is taken whole;
//   - of any other line the longest run of octets is taken, if it is long
//     enough, or stands behind a mark or a word for sending or receiving;
//   - a hexdump is known by its offsets: they count the octets.

// leastRun is how many octets a run must have on a line with other words.
const leastRun = 5

// leastDigits is how many octets a run of decimal digits alone must have there:
// serial numbers look the same.
const leastDigits = 16

// token is hexadecimal digits, with the 0x or \x in front of them.
type token struct {
	from, to int // in the line
	digits   string
}

// run is tokens with separators of one kind between them.
type run struct {
	tokens []token
	sep    byte // ' ', ',' or ':'; 0: a single token
}

func (r *run) octets() int {
	n := 0
	for _, t := range r.tokens {
		n += (len(t.digits) + 1) / 2
	}
	return n
}

// text reads the octets in text.
func (in *Input) text(s string) {
	lines := strings.Split(s, "\n")
	if in.hexdump(lines) {
		return
	}
	colons := false // between the octets of the line before
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		if t := strings.TrimSpace(line); t == "" || t[0] == '#' || strings.HasPrefix(t, "//") || t[0] == ';' {
			continue
		}
		if !colons || len(strings.TrimSpace(line)) != len("00:00:00") {
			line = blankTimes(line)
		}
		digits, sep := lineDigits(line)
		colons = sep == ':'
		if digits == "" {
			continue
		}
		if len(digits)%2 != 0 {
			in.fault(i+1, "an odd number of hexadecimal digits (%d); the last one is left out", len(digits))
			digits = digits[:len(digits)-1]
		}
		in.add(unhex(digits), part{line: i + 1})
	}
}

// unhex decodes digits that are known to be hexadecimal.
func unhex(digits string) []byte {
	out := make([]byte, len(digits)/2)
	for i := range out {
		out[i] = hexValue(digits[2*i])<<4 | hexValue(digits[2*i+1])
	}
	return out
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c >= 0x80
}

func hexValue(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	default:
		return c | 0x20 - 'a' + 10
	}
}

// lineDigits returns the hexadecimal digits of the octets on a line, and what
// separates them.
func lineDigits(line string) (digits string, sep byte) {
	runs, pure := cutRuns(line)
	var b strings.Builder
	if pure {
		for _, r := range runs {
			writeDigits(&b, &r)
			sep = r.sep
		}
		return b.String(), sep
	}
	best := -1
	for i := range runs {
		if isData(line, &runs[i]) && (best < 0 || runs[i].octets() >= runs[best].octets()) {
			best = i
		}
	}
	if best < 0 {
		return "", 0
	}
	writeDigits(&b, &runs[best])
	return b.String(), runs[best].sep
}

// writeDigits writes the digits of a run; those of an octet below 10 may come
// without their zero among others.
func writeDigits(b *strings.Builder, r *run) {
	for _, t := range r.tokens {
		if len(t.digits) == 1 && len(r.tokens) > 1 {
			b.WriteByte('0')
		}
		b.WriteString(t.digits)
	}
}

// isData reports whether a run of a line with other words is data.
func isData(line string, r *run) bool {
	n := r.octets()
	for _, t := range r.tokens {
		if len(t.digits)%2 != 0 {
			return false
		}
	}
	if behindMark(line[:r.tokens[0].from]) {
		return true
	}
	if len(r.tokens) == 1 && strings.Trim(r.tokens[0].digits, "0123456789") == "" {
		return n >= leastDigits
	}
	return n >= leastRun
}

// marks are what stands in front of the octets that were sent or received.
var marks = []string{
	"rx", "tx", "recv", "received", "receive", "rcv", "send", "sent", "read", "write", "wrote", "in", "out", "hex", "data",
	"raw", "request", "response", "client", "meter", "server", "frame", "apdu", "telegram",
}

// behindMark reports whether a text ends with an arrow, or a word for sending
// or receiving.
func behindMark(before string) bool {
	s := strings.TrimRight(before, " \t\"'[({")
	if strings.HasSuffix(s, ">") || strings.HasSuffix(s, "<") || strings.HasSuffix(s, "<-") {
		return true
	}
	s = strings.ToLower(strings.TrimRight(s, " \t:="))
	for _, m := range marks {
		if before, ok := strings.CutSuffix(s, m); ok && (before == "" || !isWord(before[len(before)-1])) {
			return true
		}
	}
	return false
}

// cutRuns finds the runs of a line. pure is true if nothing else stands on it.
func cutRuns(line string) (runs []run, pure bool) {
	pure = true
	wide := false // a token of more than one octet, or of two digits
	short := false
	for i := 0; i < len(line); {
		c := line[i]
		switch {
		case isWord(c) || c == '\\' && i+1 < len(line) && line[i+1] == 'x':
			t, end, ok := cutToken(line, i)
			if !ok {
				pure = false
				i = end
				continue
			}
			wide = wide || len(t.digits) > 1
			short = short || len(t.digits)%2 != 0
			runs = join(line, runs, t)
			i = end
		case c == ':':
			pure = pure && i+1 < len(line) && (isHex(line[i+1]) || i+2 == len(line))
			i++
		case strings.IndexByte(" \t,;\"'[](){}\v\f", c) >= 0:
			i++
		default:
			pure = false
			i++
		}
	}
	if short && !wide {
		pure = false
	}
	return runs, pure && len(runs) > 0
}

// cutToken reads the word at i. ok is false if it is none of hexadecimal digits.
func cutToken(line string, i int) (t token, end int, ok bool) {
	t.from = i
	if strings.HasPrefix(line[i:], "\\x") || strings.HasPrefix(line[i:], "0x") || strings.HasPrefix(line[i:], "0X") {
		i += 2
		end = i
		for end < len(line) && isHex(line[end]) {
			end++
		}
	} else {
		end = i
		for end < len(line) && isWord(line[end]) {
			end++
		}
	}
	if end == i {
		return t, end, false
	}
	t.digits, t.to = line[i:end], end
	for j := range len(t.digits) {
		if !isHex(t.digits[j]) {
			return t, end, false
		}
	}
	return t, end, true
}

// join adds a token to the last run, if only separators of its kind stand
// between them, else begins another one.
func join(line string, runs []run, t token) []run {
	if len(runs) == 0 {
		return []run{{tokens: []token{t}}}
	}
	last := &runs[len(runs)-1]
	between := line[last.tokens[len(last.tokens)-1].to:t.from]
	sep := byte(' ')
	if between == "" && line[t.from] == '\\' {
		sep = '\\'
	}
	for i := range len(between) {
		switch c := between[i]; c {
		case ' ', '\t':
		case ',', ';':
			sep = ','
		case ':':
			sep = ':'
		default:
			return append(runs, run{tokens: []token{t}})
		}
	}
	if last.sep != 0 && last.sep != sep || sep == ':' && strings.TrimSpace(between) != between {
		return append(runs, run{tokens: []token{t}})
	}
	last.tokens, last.sep = append(last.tokens, t), sep
	return runs
}

// blankTimes blanks out dates and times of day: of their digits octets could be
// made.
func blankTimes(line string) string {
	b := []byte(line)
	for i := 0; i < len(b); i++ {
		if !isDigit(b[i]) || i > 0 && (isWord(b[i-1]) || b[i-1] == ':') {
			continue
		}
		n := dateLength(line[i:])
		if n == 0 {
			n = timeLength(line[i:])
		}
		if n == 0 {
			continue
		}
		for j := i; j < i+n; j++ {
			b[j] = '~' // belongs to no octet
		}
		i += n - 1
	}
	return string(b)
}

// matches reports whether s begins with a pattern, in which 0 stands for any digit.
func matches(s, pattern string) bool {
	if len(s) < len(pattern) {
		return false
	}
	for i := range len(pattern) {
		if pattern[i] == '0' && !isDigit(s[i]) || pattern[i] != '0' && s[i] != pattern[i] {
			return false
		}
	}
	return true
}

// dateLength is the length of a date, and the time behind it, at the front of s.
func dateLength(s string) int {
	n := 0
	for _, p := range []string{"0000-00-00", "0000/00/00", "0000.00.00", "00.00.0000", "00/00/0000", "00-00-0000"} {
		if matches(s, p) {
			n = len(p)
		}
	}
	if n == 0 {
		return 0
	}
	if n < len(s) && (s[n] == 'T' || s[n] == ' ' || s[n] == '_') {
		if m := timeLength(s[n+1:]); m > 0 {
			n += 1 + m
		}
	}
	if n < len(s) && isWord(s[n]) {
		return 0
	}
	return n
}

// timeLength is the length of a time of day at the front of s, with fractions
// and zone.
func timeLength(s string) int {
	n := 0
	switch {
	case matches(s, "00:00:00"):
		n = 8
	case matches(s, "0:00:00"):
		n = 7
	default:
		return 0
	}
	if n < len(s) && (s[n] == '.' || s[n] == ',') && n+1 < len(s) && isDigit(s[n+1]) {
		for n++; n < len(s) && isDigit(s[n]); n++ {
		}
	}
	switch {
	case n < len(s) && s[n] == 'Z':
		n++
	case n < len(s) && (s[n] == '+' || s[n] == '-') && (matches(s[n+1:], "00:00") || matches(s[n+1:], "0000")):
		n += 5
		if n < len(s) && isDigit(s[n]) {
			n++
		}
	default:
	}
	// Behind a time a colon goes on with octets: it was none.
	if n < len(s) && (isWord(s[n]) || s[n] == ':' && n+1 < len(s) && isHex(s[n+1])) {
		return 0
	}
	return n
}

// hexdump reads text in which each line begins with the number of the octets
// before it: xxd, hexdump -C, od, Wireshark. It reports false if it is none.
func (in *Input) hexdump(lines []string) bool {
	for _, base := range []int{16, 8, 10} {
		if in.hexdumpBase(lines, base) {
			return true
		}
	}
	return false
}

// hexdumpBase is hexdump for numbers of one base.
func (in *Input) hexdumpBase(lines []string, base int) bool {
	type row struct {
		line, offset int
		rest         string
	}
	var rows []row
	for i, line := range lines {
		line = strings.TrimRight(line, " \r")
		if line == "" || line == "*" {
			continue
		}
		offset, rest, ok := cutOffset(line, base)
		if !ok {
			return false
		}
		rows = append(rows, row{i + 1, offset, rest})
	}
	if len(rows) == 0 || rows[0].offset != 0 {
		return false
	}
	const usual = 16
	width := usual
	parts := make([][]byte, len(rows))
	for i, r := range rows {
		want := width
		if i+1 < len(rows) {
			want = rows[i+1].offset - r.offset
		}
		if want < 1 || want > 1024 {
			return false
		}
		width = want
		parts[i] = dumpOctets(r.rest, want)
		if len(parts[i]) == 0 && r.rest == "" && i == len(rows)-1 && i > 0 {
			continue // the length, at the end
		}
		if len(parts[i]) == 0 || i+1 < len(rows) && len(parts[i]) != want {
			return false
		}
	}
	for i, r := range rows {
		in.add(parts[i], part{line: r.line})
	}
	return true
}

// cutOffset reads the offset in front of a line of a hexdump.
func cutOffset(line string, base int) (offset int, rest string, ok bool) {
	n := 0
	for n < len(line) && isHex(line[n]) {
		n++
	}
	if n < 4 || n > 8 {
		return 0, "", false
	}
	v, err := strconv.ParseUint(line[:n], base, 32)
	if err != nil {
		return 0, "", false
	}
	rest = line[n:]
	if rest != "" && rest[0] != ' ' && rest[0] != ':' && rest[0] != '\t' {
		return 0, "", false
	}
	return int(v), strings.TrimLeft(rest, ": \t"), true
}

// dumpOctets reads at most n octets of a line of a hexdump, up to the text that
// stands behind them.
func dumpOctets(rest string, n int) []byte {
	var out []byte
	for i := 0; i < len(rest) && len(out) < n; {
		if rest[i] == ' ' || rest[i] == '\t' || rest[i] == '-' {
			i++
			continue
		}
		end := i
		for end < len(rest) && isHex(rest[end]) {
			end++
		}
		if (end-i)%2 != 0 || end == i || end < len(rest) && rest[end] != ' ' && rest[end] != '\t' && rest[end] != '-' {
			break
		}
		out = append(out, unhex(rest[i:end])...)
		i = end
		if strings.HasPrefix(rest[i:], "   ") { // the text follows
			break
		}
	}
	return out[:min(len(out), n)]
}
