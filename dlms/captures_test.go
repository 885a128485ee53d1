package dlms_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// telegram is a real one on its way: in frames with a check.
type telegram struct {
	id     string
	octets []byte
	keys   security.Keys
	values []string
}

// telegrams are the real ones. Those whose source holds no frame are put into
// one by us.
func telegrams(t testing.TB) (list []*telegram) {
	t.Helper()
	files, err := filepath.Glob("testdata/captures/*.json")
	require.NoError(t, err)
	require.Len(t, files, 24)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		var c struct {
			ID, Framing, GUEK, GAK string
			Licence                string `json:"source_licence"`
			Hex                    []string
		}
		require.NoError(t, json.Unmarshal(text, &c), f)
		require.Contains(t, []string{"MIT", "Apache-2.0"}, c.Licence)
		x := &telegram{id: c.ID, keys: security.Keys{EncryptionKey: octets(t, c.GUEK), AuthenticationKey: octets(t, c.GAK)}}
		for _, h := range c.Hex {
			b := octets(t, h)
			if c.Framing == "raw-apdu" {
				b = inFrame(t, b)
			}
			x.octets = append(x.octets, b...)
		}
		list = append(list, x)
	}
	p1 := iec62056.AppendTelegram(nil, `ISK5\2M550T-1012`, []string{"1-3:0.2.8(50)", "0-0:1.0.0(260101120000W)", "0-0:96.1.1(4B384547303034303436333935353037)", "1-0:1.8.1(001234.567*kWh)", "1-0:1.7.0(00.123*kW)"})
	list = append(list, &telegram{id: "p1", octets: p1})
	for _, x := range list {
		x.values = hearAll(t, x, x.octets)
		if len(x.values) == 0 {
			require.Empty(t, x.keys.EncryptionKey)
			require.Equal(t, "dp-mbus-kmswest", x.id, "there is no key for it")
		}
	}
	return list
}

func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func inFrame(t testing.TB, apdu []byte) []byte {
	t.Helper()
	f := hdlc.Frame{Destination: hdlc.ClientAddress(16), Source: hdlc.Address{Upper: 1, Lower: 17, Size: 2}, Control: hdlc.Unnumbered(hdlc.UI, false), Info: apdu}
	b, err := f.Append(nil)
	require.NoError(t, err)
	return b
}

// hearAll lists the values that octets on a line give, and tells after each of
// their telegrams how many it had.
func hearAll(t testing.TB, x *telegram, chunks ...[]byte) (values []string) {
	t.Helper()
	d := dlms.NewDeframer(dlms.DeframerConfig{Line: true})
	var m push.Mapper
	add := func(e *push.Entry) bool {
		values = append(values, fmt.Sprint(e.Label(), e.Code, e.Attribute, e.Unit, e.HasUnit, e.Value.String()))
		return true
	}
	u := dlms.Unwrapper{}
	if len(x.keys.EncryptionKey) > 0 {
		c, err := security.NewContext(x.keys)
		require.NoError(t, err)
		u.Open = func(dst []byte, p xdlms.Ciphered) ([]byte, error) {
			return c.Open(dst, p.Title, p.Protected, dlms.Plausible)
		}
	}
	drain := func() {
		for msg, ok := d.Next(); ok; msg, ok = d.Next() {
			if msg.Text != nil {
				if msg.Text.Checked {
					m.MapText(*msg.Text, add, nil)
				}
				continue
			}
			if len(msg.APDU) == 0 {
				continue
			}
			w, _ := u.Unwrap(msg)
			if n, err := xdlms.ParseDataNotification(w.APDU); err == nil {
				before := len(values)
				if _, err := m.Map(n.Body, add); err != nil {
					values = values[:before]
				}
			}
		}
	}
	for _, b := range chunks {
		d.Write(b)
		drain()
		for d.Waiting() { // a pause
			d.Silence()
			drain()
		}
	}
	return values
}

// requireSound checks that damaged octets give nothing that the telegram does
// not hold, and that the telegram behind them is there.
func requireSound(t *testing.T, x *telegram, what string, damaged []byte) {
	t.Helper()
	for _, chunks := range [][][]byte{{damaged, x.octets}, {slices.Concat(damaged, x.octets)}} {
		got := hearAll(t, x, chunks...)
		require.GreaterOrEqual(t, len(got), len(x.values), "%s: the telegram behind is lost", what)
		require.Equal(t, x.values, got[len(got)-len(x.values):], "%s: the telegram behind it", what)
		for _, v := range got {
			require.Contains(t, x.values, v, "%s: a value that was never sent", what)
		}
	}
}

// TestDamagedTelegrams: whatever happens to a telegram on a line, no wrong value
// comes of it, and the next one is understood.
func TestDamagedTelegrams(t *testing.T) {
	for _, x := range telegrams(t) {
		if len(x.values) == 0 {
			continue
		}
		t.Run(x.id, func(t *testing.T) {
			t.Parallel()
			b := x.octets
			step := max(1, len(b)/150) // of the long ones not every octet; all kinds of damage hit all of their parts
			for i := 0; i < len(b); i += step {
				requireSound(t, x, fmt.Sprintf("cut to %d octets", i), b[:i])
				flipped := bytes.Clone(b)
				flipped[i] ^= 1 << (i % 8)
				requireSound(t, x, fmt.Sprintf("bit of octet %d flipped", i), flipped)
				requireSound(t, x, fmt.Sprintf("octet %d twice", i), slices.Insert(bytes.Clone(b), i, b[i]))
				requireSound(t, x, fmt.Sprintf("octet %d dropped", i), slices.Delete(bytes.Clone(b), i, i+1))
			}
			mixed := make([]byte, 0, 2*len(b))
			for _, c := range b {
				mixed = append(mixed, c, c^0x55)
			}
			requireSound(t, x, "two at once", mixed)
			half := len(b) / 2
			requireSound(t, x, "one within another", slices.Concat(b[:half], b, b[half:]))
			for n := range 64 { // noise, some of it like the beginning of something
				noise := make([]byte, 200)
				for i := range noise {
					noise[i] = []byte{0x7E, 0xA0, 0x68, 0x0F, 0xDB, '/', 0x02, byte(37*i + n)}[(i*7+n*n)%8]
				}
				requireSound(t, x, fmt.Sprintf("noise %d", n), noise)
				requireSound(t, x, fmt.Sprintf("telegram and noise %d", n), append(bytes.Clone(b), noise...))
			}
		})
	}
}

// FuzzDeframer hears anything, in pieces: it ends, keeps no more than it may,
// and gives nothing that was not there.
func FuzzDeframer(f *testing.F) {
	for _, x := range telegrams(f) {
		f.Add(x.octets, uint8(7), true)
		f.Add(x.octets, uint8(0), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint8, line bool) {
		const limit = 4096
		d := dlms.NewDeframer(dlms.DeframerConfig{Line: line, MaxAPDU: limit})
		u := dlms.Unwrapper{MaxAPDU: limit}
		drain := func() {
			for m, ok := d.Next(); ok; m, ok = d.Next() {
				require.LessOrEqual(t, len(m.APDU), max(limit, len(b)))
				if len(m.APDU) > 0 {
					x, _ := u.Unwrap(m)
					require.LessOrEqual(t, len(x.APDU), max(limit, len(b)))
					_ = dlms.Plausible(x.APDU)
				}
			}
		}
		for part := range slices.Chunk(b, int(size)+1) {
			d.Write(part)
			drain()
		}
		for d.Waiting() {
			d.Silence()
			drain()
		}
		d.Forget()
		u.Forget()
		require.Equal(t, int64(len(b)), d.Stats().Octets)
		require.LessOrEqual(t, d.Stats().Skipped, len(b))
	})
}
