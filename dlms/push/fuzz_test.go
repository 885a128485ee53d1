package push_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// captured are the bodies of the real telegrams that are not encrypted.
func captured(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../testdata/captures/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	bodies := map[string][]byte{}
	for _, f := range files {
		content, err := os.ReadFile(f)
		require.NoError(t, err)
		var c struct {
			ID, Framing string
			Encrypted   bool
			Hex         []string
		}
		require.NoError(t, json.Unmarshal(content, &c))
		if c.Encrypted {
			continue
		}
		raw, err := hex.DecodeString(c.Hex[0])
		require.NoError(t, err)
		if c.Framing == "hdlc" {
			frame, _, err := hdlc.CutFrame(raw)
			if err != nil || frame.Control.Kind() != hdlc.UI {
				continue
			}
			raw = frame.Info
		}
		raw = bytes.TrimPrefix(raw, []byte{0xE6, 0xE7, 0})
		if n, err := xdlms.ParseDataNotification(raw); err == nil {
			bodies[c.ID] = n.Body
		}
	}
	return bodies
}

// TestCaptured: no real telegram has a value without a name but for those that
// have no codes at all, and those with one value beside.
func TestCaptured(t *testing.T) {
	bodies := captured(t)
	require.GreaterOrEqual(t, len(bodies), 14)
	for id, body := range bodies {
		if _, err := axdr.Parse(body); err != nil && !push.Valid(body) {
			continue // in several frames
		}
		_, shape := mapped(t, new(push.Mapper), body)
		require.NotZero(t, shape.Values, id)
		if shape.Unnamed != shape.Values {
			require.LessOrEqual(t, shape.Unnamed, 1, id)
		}
	}
}

func FuzzMap(f *testing.F) {
	for _, g := range goldens() {
		f.Add(g.body)
	}
	for _, body := range captured(f) {
		f.Add(body)
	}
	for _, body := range steady() {
		f.Add(body)
	}
	m := push.Mapper{Lists: []*push.List{kaifa, {Types: "u?", Items: kaifa.Items}, {Items: kaifa.Items}}, MaxAPDU: 1 << 16}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		values, unnamed := 0, 0
		shape, err := m.Map(body, func(e *push.Entry) bool {
			values++
			if !e.Named {
				unnamed++
				require.Nil(t, e.Item)
			}
			require.NotEmpty(t, e.Path)
			for _, n := range e.Path {
				require.Positive(t, n)
			}
			require.NotEmpty(t, e.Value)
			_, err := axdr.Parse(e.Value)
			require.NoError(t, err)
			require.NotEqual(t, axdr.TagNull, e.Value.Tag())
			require.True(t, len(e.Time) == 0 || len(e.Time) == 13 || len(e.Time) == 14)
			require.Equal(t, e.Row > 0, e.Column > 0)
			return true
		})
		require.Equal(t, before, body)
		require.Equal(t, values, shape.Values)
		require.Equal(t, unnamed, shape.Unnamed)
		require.Equal(t, err == nil, push.Valid(body))
		if err != nil {
			require.Zero(t, values)
			return
		}
		if !bytes.Contains(body, []byte{byte(axdr.TagCompactArray)}) {
			require.LessOrEqual(t, values, len(body), "a value has an octet at least")
		}
		length := push.Length(body)
		require.LessOrEqual(t, length, len(body))
		if !shape.Repaired {
			require.Positive(t, length)
		}
	})
}

func FuzzRepair(f *testing.F) {
	for _, g := range forms {
		f.Add(g.body, uint16(3))
	}
	f.Fuzz(func(t *testing.T, body []byte, cut uint16) {
		n := push.Length(body)
		require.True(t, n >= -1 && n <= len(body))
		if n > 0 {
			// At its end, it may have to be seen that no descriptor follows.
			require.Contains(t, []int{0, n}, push.Length(body[:n]), "the body by itself")
			_, err := axdr.Parse(body[:n])
			m := push.Mapper{}
			shape, mapErr := m.Map(body[:n], func(*push.Entry) bool { return true })
			if err != nil && mapErr == nil {
				require.True(t, shape.Repaired)
			}
		}
		prefix := body[:min(int(cut), len(body))]
		if p := push.Length(prefix); p > 0 {
			require.LessOrEqual(t, p, len(prefix))
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add([]byte("1-0:1.8.1(000004.426*kWh)\r\n0-1:24.2.1(260101110000W)(12785.123*m3)\r\n"))
	f.Add([]byte("0-1:24.3.0(090212160000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00001.001)\r\n"))
	f.Add([]byte("1.8.0*01(001234.567*kWh)\nF.F(00)\n0.9.1(123000)\n"))
	f.Add([]byte("0-0:96.1.1(4B384547303034303436333935353037)\n1-0:4:24.7.0(1)\n1-0:16.7.0(-1.5*kW)\n"))
	f.Add([]byte("1-0:99.97.0(2)(0-0:96.7.19)(101208152415W)(0000000240*s)(101208151004W)(0000000301*s)\n"))
	var m push.Mapper
	f.Fuzz(func(t *testing.T, body []byte) {
		before := slices.Clone(body)
		values := 0
		shape := m.MapText(iec62056.Telegram{Body: body}, func(e *push.Entry) bool {
			values++
			require.True(t, e.Named)
			require.Len(t, e.Path, 1)
			_, err := axdr.Parse(e.Value)
			require.NoError(t, err)
			if v, ok := e.Value.Int64(); ok && e.Value.Tag() == axdr.TagLong64 {
				require.Less(t, v, int64(1e18))
				require.True(t, e.HasUnit)
				require.True(t, e.Unit.Scaler >= -18 && e.Unit.Scaler <= 9)
			}
			return true
		}, func(string) {})
		require.Equal(t, before, body)
		require.Equal(t, values, shape.Values)
		require.LessOrEqual(t, values, len(body))
	})
}
