package push_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"bytes"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

func TestZZDump(t *testing.T) {
	files, _ := filepath.Glob("../testdata/captures/*.json")
	for _, f := range files {
		text, _ := os.ReadFile(f)
		var c struct{ Hex []string; Framing string; Encrypted bool }
		json.Unmarshal(text, &c)
		if c.Encrypted { continue }
		for _, h := range c.Hex {
			b, _ := hex.DecodeString(h)
			i := bytes.IndexByte(b, 0x0f)
			if i < 0 { continue }
			b = b[i+5:]
			switch {
			case b[0] == 0x0c: b = b[13:]
			case b[0] == 0 : b = b[1:]
			case b[0] == 9: b = b[14:]
			}
			if d, _, err := axdr.Cut(b); err == nil { b = d; fmt.Println(d) }
			var m push.Mapper
			s, err := m.Map(b, func(e *push.Entry) bool { fmt.Println("   ", e.Label(), e.Named, e.Code, e.Class, e.Attribute, e.Value, e.Unit, e.HasUnit); return true })
			fmt.Println(filepath.Base(f), s, err)
		}
	}
}
