package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
)

// problems returns the nodes with something wrong.
func problems(list []*Node) (bad []*Node) {
	for _, n := range list {
		if n.Problem != "" {
			bad = append(bad, n)
		}
		bad = append(bad, problems(n.Children)...)
	}
	return bad
}

func octetsOf(t testing.TB, id string) []byte {
	t.Helper()
	in, err := ParseInput(captured(t, id).data)
	require.NoError(t, err)
	return in.Octets
}

func explainOctets(t testing.TB, b []byte, opt Options) *Report {
	t.Helper()
	in := &Input{Form: Binary}
	in.add(b, part{})
	r, err := Explain(in, opt)
	require.NoError(t, err)
	return r
}

func requireASCII(t testing.TB, s string) {
	t.Helper()
	i := strings.IndexFunc(s, func(c rune) bool { return c != '\n' && (c < 0x20 || c > 0x7E) })
	require.Negative(t, i, s)
}

// checkReport checks what holds for every report.
func checkReport(t testing.TB, r *Report) {
	t.Helper()
	bad := problems(r.Nodes)
	require.LessOrEqual(t, len(bad), r.Problems) // several may be about one node
	require.Equal(t, r.Problems > 0, len(bad) > 0)
	var walk func(list []*Node, depth int)
	walk = func(list []*Node, depth int) {
		for _, n := range list {
			if depth > 100 || n.Offset > r.Octets || n.Offset < -1 || n.Offset < 0 && n.Length >= 0 {
				require.Fail(t, "a node that cannot be", "%+v", n)
			}
			walk(n.Children, depth+1)
		}
	}
	walk(r.Nodes, 0)
	requireASCII(t, tree(t, r))
	var b bytes.Buffer
	require.NoError(t, r.WriteJSON(&b))
	require.True(t, json.Valid(b.Bytes()))
}

var damagedCaptures = []string{"amshan-hdlc-7d-7e-in-info", "dp-hdlc-iskra550", "dp-mbus-netz-noe-p1", "dp-raw-salzburg-netz", "dp-raw-egd-example"}

// A capture that breaks off anywhere is told to.
func TestPrefixes(t *testing.T) {
	for _, id := range damagedCaptures {
		b := octetsOf(t, id)
		c := captured(t, id)
		for n := 1; n < len(b); n++ {
			r := explainOctets(t, b[:n], c.options(t))
			checkReport(t, r)
			if id == "amshan-hdlc-7d-7e-in-info" && (n == 44 || n == 45) {
				require.True(t, r.Complete(), "the end of the first frame, and a flag")
				continue
			}
			if id == "dp-raw-egd-example" && r.Complete() {
				continue // what is no A-XDR may be taken for something else
			}
			require.False(t, r.Complete(), "%s, %d octets:\n%s", id, n, tree(t, r))
			bad := problems(r.Nodes)
			require.NotEmpty(t, bad)
			require.GreaterOrEqual(t, bad[0].Offset, 0)
			require.LessOrEqual(t, bad[0].Offset, n)
		}
	}
}

// One octet that is wrong is found, where there are checks, near to where it is.
func TestFlips(t *testing.T) {
	step := 1
	if raceEnabled { // one goroutine reads them
		step = 5
	}
	for _, id := range damagedCaptures {
		b := octetsOf(t, id)
		c := captured(t, id)
		for i := 0; i < len(b); i += step {
			for _, bits := range []byte{0x01, 0xFF} {
				flipped := bytes.Clone(b)
				flipped[i] ^= bits
				r := explainOctets(t, flipped, c.options(t))
				checkReport(t, r)
				if strings.HasPrefix(id, "dp-raw") {
					continue
				}
				require.False(t, r.Complete(), "%s, octet %d ^ %02X:\n%s", id, i, bits, tree(t, r))
			}
		}
	}
}

func TestDamage(t *testing.T) {
	good := meterFrame(t, hdlc.Unnumbered(hdlc.UI, true), false, append([]byte{0xE6, 0xE7, 0}, somePush(t)...))
	wrong := bytes.Clone(good)
	wrong[32]++ // the value
	short := append(bytes.Clone(good[:30]), good[31:]...)
	wrapped, err := wrapper.Append(nil, 1, 16, somePush(t))
	require.NoError(t, err)
	mbusFrame := octetsOf(t, "dp-mbus-netz-noe-p1")
	sum := bytes.Clone(mbusFrame)
	sum[254]++
	text := telegram()
	crc := bytes.Replace(text, []byte("002262"), []byte("002263"), 1)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"FCS", lines(wrong, good), "octet 65 (line 1): wrong frame check sequence (FCS): "},
		{"FCS, contents are shown", lines(wrong, good), "1.0.1.8.0.255   12345.7 Wh"},
		{"an octet is lost", lines(short, []byte("\x55"), good), "octet 0 (line 1): no flag at the end of the frame: 66 octets; 67 octets up to here"},
		{"noise", lines([]byte("\x00\x11\x22"), good, []byte("\x55"), good), "octet 0 (line 1): 3 octets that begin no frame, telegram or APDU"},
		{"noise between frames", lines(good, []byte("\x55\x66"), good), "octet 68 (line 2): 2 octets that begin no frame, telegram or APDU"},
		{"wrapper breaks off", lines(wrapped[:20]), "octet 0 (line 1): the input ends within an APDU: 12 of 53 octets are there"},
		{"APDU breaks off", lines(somePush(t)[:20]), "octet 16 (line 1): double-long-unsigned is cut short: the octets end too early"},
		{"one of two APDUs breaks off", lines(somePush(t)[:20], somePush(t)), "octet 16 (line 1): double-long-unsigned is cut short: the octets end too early"},
		{"data in an APDU", lines(unhexed(t, "0F00000001000202 12 1234 63 00")), "octet 11 (line 1): no data type has the tag 99 (0x63)"},
		{"M-Bus sum", lines(sum), "octet 254 (line 1): wrong sum: 18 received, 17 expected"},
		{"M-Bus fragment alone", lines(mbusFrame[256:]), "octet 6 (line 1): M-Bus: fragment 1 came, 0 was expected"},
		{"M-Bus fragment missing", lines(mbusFrame[:256]), "octet 9 (line 1): the input ends within an M-Bus message in fragments: 245 octets have come"},
		{"segment missing", lines(meterFrame(t, hdlc.Unnumbered(hdlc.UI, false), true, []byte{0xE6, 0xE7, 0, 0x0F})), "octet 9 (line 1): the input ends within an HDLC message in segments: 4 octets have come"},
		{"P1 CRC", crc, "octet 244: wrong check: "},
		{"P1 breaks off", text[:100], "octet 0: the input ends within a telegram"},
		{"block of a push missing", lines(bytes.Split(bytes.TrimSpace(blockPush(t)), []byte("\n"))[0], bytes.Split(bytes.TrimSpace(blockPush(t)), []byte("\n"))[2]), "general-block-transfer: block 3 came, block 2 was expected"},
		{"Data alone", lines(someBody()), "1.0.1.8.0.255   12345.6 Wh"},
		{"odd digits", []byte("7EA\n" + string(lines(good))), "line 1: an odd number of hexadecimal digits (3)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.name, "block of a push") { // lines of digits already
				c.data = []byte(fmt.Sprintf("%s\n%s\n", unhexLine(t, c.data, 0), unhexLine(t, c.data, 1)))
			}
			r := explained(t, c.data, Options{})
			checkReport(t, r)
			require.Contains(t, tree(t, r), c.want)
		})
	}
}

// unhexLine undoes lines for a line that was digits before.
func unhexLine(t *testing.T, data []byte, i int) string {
	return string(unhexed(t, string(bytes.Split(data, []byte("\n"))[i])))
}

// Whatever happens to an AARQ, its password is not shown.
func TestPasswordHidden(t *testing.T) {
	for _, name := range []string{"hdlc-low", "hdlc-segments", "hdlc-wrong-password"} {
		in, err := ParseInput(recorded(t, name))
		require.NoError(t, err)
		password := []byte("12345678")
		if !bytes.Contains(in.Octets, password) {
			continue
		}
		b := in.Octets[:min(len(in.Octets), 200)]
		for i := range b {
			flipped := bytes.Clone(b)
			flipped[i] ^= 0xFF
			for _, piece := range [][]byte{flipped, b[:i]} {
				text := tree(t, explainOctets(t, piece, Options{Raw: true}))
				require.NotContains(t, text, "12345678", text)
				if i < 48 { // of what begins within the password it is not known that it is one
					require.NotContains(t, text, hexOf("345678"), text)
				}
			}
		}
	}
}

// Hostile input is cut off, and takes no time.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("a mebibyte each")
	}
	size := 1 << 20
	if raceEnabled {
		size >>= 3
	}
	rr, err := hdlc.Frame{Destination: hdlc.ClientAddress(16), Source: hdlc.ClientAddress(1), Control: hdlc.ReceiveReady(0, true)}.Append(nil)
	require.NoError(t, err)
	header := meterFrame(t, hdlc.Unnumbered(hdlc.UI, true), false, make([]byte, 2000))[:9]
	many := axdr.AppendStructure([]byte{0x0F, 0, 0, 0, 0, 0}, size/2)
	for range size / 2 {
		many = axdr.AppendUnsigned(many, 1)
	}
	serials := axdr.AppendArray([]byte{0x0F, 0, 0, 0, 0, 0}, size/10)
	for i := range size / 10 {
		serials = axdr.AppendVisibleString(serials, fmt.Sprintf("%08d", i))
	}
	compact := axdr.AppendLength([]byte{0x0F, 0, 0, 0, 0, 0, byte(axdr.TagCompactArray), byte(axdr.TagLongUnsigned)}, size)
	compact = append(compact, make([]byte, size)...)
	for name, piece := range map[string][]byte{
		"frames": rr, "headers": header, "flags": {hdlc.Flag}, "M-Bus": {0x68, 0xFF, 0xFF, 0x68}, "slashes": []byte("/"), "STX": {2},
		"identifications": []byte("/AAA5x\r\n\r\n"), "wrapper": {0, 1, 0, 1, 0, 1, 0xFF, 0xFF, 0x0F}, "notifications": {0x0F, 0, 0, 0, 0, 0, 1, 0x82, 0xFF, 0xFF},
		"ciphered": {0xDB, 8}, "structures": {0x0F, 0, 0, 0, 0, 0, 2, 2}, "values": many, "serials": serials, "compact": compact, "zeros": {0}, "lines": []byte("1.8.0(1*kWh)\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			b := bytes.Repeat(piece, max(1, size/len(piece)))
			start := time.Now()
			r := explainOctets(t, b, Options{})
			in := &Input{Form: Binary}
			in.add(b, part{})
			_, _ = Redact(in, Options{}) // it may say that it is too much
			require.Less(t, time.Since(start), 20*time.Second)
			require.LessOrEqual(t, len(problems(r.Nodes)), mostNodes+1)
			t.Log(time.Since(start), r.Frames, r.Messages, r.Problems)
		})
	}
}
