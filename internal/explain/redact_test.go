package explain

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

func testOptions(t testing.TB) Options {
	return Options{Key: unhexed(t, TestKey), AuthKey: unhexed(t, TestAuthKey), MasterKey: unhexed(t, TestKey)}
}

// readings returns the values of a tree.
func readings(list []*Node) (all []Reading) {
	for _, n := range list {
		if n.Reading != nil {
			all = append(all, *n.Reading)
		}
		all = append(all, readings(n.Children)...)
	}
	return all
}

// about reports whether a value is about one meter, found in another way than
// Redact does.
func about(r Reading) bool {
	if code, err := obis.Parse(r.OBIS); err == nil && r.OBIS != "" {
		if code[0] == 0 && code[2] == 42 || code[2] == 96 && code[3] == 1 || code[2] == 0 && code[3] == 0 {
			return true
		}
	}
	text, _ := r.Value.(string)
	if strings.HasPrefix(text, `"`) { // padded with zeros
		text, _, _ = strings.Cut(text[1:], `"`)
	}
	return len(text) >= 8 && len(text) <= 32 && countDigits(text) >= 5 && !strings.ContainsAny(text, ":{") && strings.HasSuffix(r.Type, "string") && r.Type != "bit-string"
}

func countDigits(s string) int {
	n := 0
	for i := range len(s) {
		if isDigit(s[i]) {
			n++
		}
	}
	return n
}

// titles returns the system titles of a tree.
func titles(list []*Node) (all []string) {
	for _, n := range list {
		if strings.HasSuffix(n.Name, "title") {
			digits := strings.TrimRight(n.Value[strings.LastIndexByte(n.Value, '(')+1:], ")")
			all = append(all, digits)
		}
		all = append(all, titles(n.Children)...)
	}
	return all
}

// After redaction all is as before, but for what is about the meter.
func TestRedact(t *testing.T) {
	list := goldens(t)
	for _, c := range captures(t) {
		list = append(list, golden{c.ID + " of all", c.data, c.options(t)})
	}
	for _, g := range list {
		if strings.Contains(g.name, "wrong") || g.name == "refusals" {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			in, err := ParseInput(g.data)
			require.NoError(t, err)
			r, err := Redact(in, g.opt)
			require.NoError(t, err)
			require.Len(t, r.Octets, len(in.Octets))
			before := explained(t, g.data, g.opt)
			opt := g.opt
			if len(g.opt.Key) > 0 {
				opt.Key = unhexed(t, sealKeys[sealKeysOf(len(g.opt.Key))].key)
			}
			if len(g.opt.MasterKey) > 0 {
				opt.MasterKey = unhexed(t, sealKeys[sealKeysOf(len(g.opt.MasterKey))].key)
			}
			if len(g.opt.Key)+len(g.opt.MasterKey) > 0 {
				opt.AuthKey = unhexed(t, sealKeys[sealKeysOf(max(len(g.opt.Key), len(g.opt.MasterKey)))].authentic)
			}
			after := explained(t, []byte(r.Text()), opt)
			require.Equal(t, []int{before.Frames, before.Messages, before.Problems}, []int{after.Frames, after.Messages, after.Problems}, tree(t, after))
			require.Len(t, after.Missing, len(before.Missing))

			was, is := readings(before.Nodes), readings(after.Nodes)
			require.Len(t, is, len(was))
			everything := string(r.Octets) + tree(t, after)
			for i := range was {
				require.Equal(t, was[i].OBIS, is[i].OBIS)
				require.Equal(t, was[i].Unit, is[i].Unit)
				if !about(was[i]) {
					require.Equal(t, was[i].Value, is[i].Value)
					continue
				}
				require.NotEqual(t, was[i].Value, is[i].Value)
				if text, ok := was[i].Value.(string); ok && len(text) >= 8 {
					require.NotContains(t, everything, strings.Trim(text, `"`))
				}
			}
			for i, title := range titles(before.Nodes) {
				require.NotContains(t, hexOf(everything), title)
				require.NotContains(t, everything, title)
				require.Equal(t, title[:6], titles(after.Nodes)[i][:6], "the maker")
			}
		})
	}
}

func TestRedactPasswords(t *testing.T) {
	in, err := ParseInput(recorded(t, "hdlc-low"))
	require.NoError(t, err)
	require.Contains(t, string(in.Octets), "12345678")
	r, err := Redact(in, Options{})
	require.NoError(t, err)
	require.NotContains(t, string(r.Octets), "12345678")
	require.Equal(t, "redacted: serial numbers and names 0, system titles 0, passwords, challenges and signatures 1", r.Notes[0])

	// In the AARQ, and inside of what is ciphered the dedicated key.
	data := cipheredPoll(t, testOptions(t).AuthKey, testOptions(t).Key)
	in, err = ParseInput(data)
	require.NoError(t, err)
	r, err = Redact(in, Options{Key: testOptions(t).AuthKey, AuthKey: testOptions(t).Key})
	require.NoError(t, err)
	require.NotContains(t, string(r.Octets), "secret pass")
	require.NotContains(t, strings.Join(r.Notes, "\n"), "secret")
	after := explained(t, []byte(r.Text()), testOptions(t))
	require.True(t, after.Complete(), tree(t, after))
	require.Contains(t, tree(t, after), "12345.67 Wh")
	require.Contains(t, tree(t, after), `"SRV0000000000005"`)
	require.Contains(t, r.Notes, "1 dedicated key replaced by "+TestKey)
	require.Contains(t, r.Notes, "8 ciphered APDUs protected again with the published test keys: -key "+TestKey+" -auth_key "+TestAuthKey)
}

// A record stays one, with the same endpoints and times.
func TestRedactRecord(t *testing.T) {
	data := cipheredPoll(t, testOptions(t).Key, testOptions(t).AuthKey)
	data = append(data, "2026-11-27T23:04:07Z tcp://10.0.0.5:4059 = meter SRV1000000658188 is gone\nSRV1000000658188 torn"...)
	in, err := ParseInput(data)
	require.NoError(t, err)
	r, err := Redact(in, testOptions(t))
	require.NoError(t, err)
	again, err := ParseInput([]byte(r.Text()))
	require.NoError(t, err)
	require.Equal(t, Record, again.Form)
	require.Equal(t, r.Octets, again.Octets)
	require.True(t, strings.HasPrefix(r.Text(), recordHeader+"\n# redacted: "), r.Text())
	require.Contains(t, r.Text(), "\n2026-11-27T23:04:05.000001Z tcp://10.0.0.5:4059 > 00010010000100")
	require.Contains(t, r.Text(), "\n2026-11-27T23:04:06.000000Z tcp://10.0.0.5:4059 = closed\n")
	require.NotContains(t, r.Text(), "658188", "in notes and torn lines, too")
}

// The same name is replaced by the same one, and not two by one.
func TestRedactConsistent(t *testing.T) {
	name := func(s string) []byte {
		b := axdr.AppendStructure([]byte{0x0F, 0, 0, 0, 1, 0}, 2)
		return axdr.AppendVisibleString(axdr.AppendOctetString(b, []byte{0, 0, 96, 1, 0, 255}), s)
	}
	in, err := ParseInput(lines(name("ABCD12345678"), name("ABCD12345679"), name("ABCD12345678"), name("00000000")))
	require.NoError(t, err)
	r, err := Redact(in, Options{})
	require.NoError(t, err)
	text := tree(t, explained(t, []byte(r.Text()), Options{}))
	require.Equal(t, 2, strings.Count(text, `"ABCX00000001"`), text)
	require.Equal(t, 1, strings.Count(text, `"ABCX00000002"`), text)
	require.Equal(t, 1, strings.Count(text, `"00000000"`), "says nothing")
}

// What is damaged stays so: others shall see it.
func TestRedactDamaged(t *testing.T) {
	good := meterFrame(t, hdlc.Unnumbered(hdlc.UI, true), false, append([]byte{0xE6, 0xE7, 0}, somePush(t)...))
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x55
		in := &Input{Form: Binary}
		in.add(bad, part{})
		before, err := Explain(in, Options{})
		require.NoError(t, err)
		r, err := Redact(in, Options{})
		require.NoError(t, err)
		after := explainOctets(t, r.Octets, Options{})
		require.Equal(t, before.Complete(), after.Complete(), "%d", i)
		require.Equal(t, before.Frames, after.Frames, "%d", i)
		if before.Messages > 0 && strings.Contains(tree(t, before), "XYZ1234567890123") {
			require.NotContains(t, string(r.Octets), "XYZ1234567890123", "%d", i)
		}
	}
}

func TestRedactWithoutKeys(t *testing.T) {
	c := captured(t, "dp-mbus-kmswest")
	in, err := ParseInput(c.data)
	require.NoError(t, err)
	r, err := Redact(in, Options{})
	require.NoError(t, err)
	require.Contains(t, strings.Join(r.Notes, "\n"), "warning: 1 ciphered APDU could not be looked into: the right keys are missing")
	require.Equal(t, in.Octets[25:97], r.Octets[25:97], "the ciphertext")
	require.NotContains(t, string(r.Octets), "\x45\x4c\x53\x65\x70\x00\x00\x01")
}

func TestRenamed(t *testing.T) {
	for was, is := range map[string]string{
		"84895126":         "00000007",
		"LGZ51282380":      "LGZ00000007",
		"LGZ51282380\x00":  "LGZ00000007\x00",
		"1KFM0200234804":   "0KFM0000000007",
		"6841138BN245":     "0000000BN007",
		"ABCDEFGH":         "ABCXXXX7",
		"\x01\x02\x03\x04": "\x00\x00\x00\x07",
		"AIDON-1.5/77":     "AIDXX-0.0/07",
		"4530303434303037": "4530303030303037",
	} {
		require.Equal(t, is, string(renamed([]byte(was), 7)), was)
	}
	require.Equal(t, "KFM\x00\x00\x00\x01\x02", string(numbered([]byte("KFM45678"), 3, 258)))
}

func TestRedactTelegram(t *testing.T) {
	for _, data := range [][]byte{telegram(), readout()} {
		in, err := ParseInput(data)
		require.NoError(t, err)
		r, err := Redact(in, Options{})
		require.NoError(t, err)
		after := explainOctets(t, r.Octets, Options{})
		require.True(t, after.Complete(), tree(t, after))
		for _, serial := range []string{"31265489", "4530303434303037323437373331333231", "4730303339303031363532303530323136"} {
			require.NotContains(t, string(r.Octets), serial)
		}
	}
}

// A text is found across the border of two segments.
func TestRedactSegments(t *testing.T) {
	info := append([]byte{0xE6, 0xE7, 0}, somePush(t)...)
	for cut := 4; cut < len(info)-1; cut++ {
		first := meterFrame(t, hdlc.Unnumbered(hdlc.UI, false), true, info[:cut])
		second := meterFrame(t, hdlc.Unnumbered(hdlc.UI, true), false, info[cut:])
		in, err := ParseInput(lines(first, second))
		require.NoError(t, err)
		r, err := Redact(in, Options{})
		require.NoError(t, err)
		after := explained(t, []byte(r.Text()), Options{})
		require.True(t, after.Complete())
		require.Contains(t, tree(t, after), fmt.Sprintf("%q", "XYZ0000000000001"))
	}
}
