package dlms_cosem

import (
	"encoding/hex"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/internal/preset"
	"github.com/telegraf-dlms/telegraf-dlms/presets"
)

// usePreset returns the items of a request: its own, and those of its preset
// that it does not have and that are chosen; known are all of both. What the preset says of the link counts where neither
// the request nor the top of the file does.
func (d *DLMS) usePreset(sc requestScope, own *Request, merged *Settings) (items, known []Item, file preset.File[Settings, Item]) {
	name := merged.Preset
	if name == "" {
		if sc.own.PresetItems != nil {
			sc.scope.bad("preset_items", show(sc.own.PresetItems), "without preset it has no effect: set that, or remove it")
		}
		return own.Item, own.Item, file
	}
	fail := func(format string, args ...any) {
		sc.bad("preset", strconv.Quote(name), format, args...)
	}
	loaded, err := preset.Load[Settings, Item](name, filepath.Dir(d.ConfigPath), presets.Files)
	if err != nil {
		fail("%v", err)
		return own.Item, own.Item, file
	}
	file = loaded
	p := &problems{}
	checkSettings(scope{p: p, request: strconv.Quote(own.Name)}, &file.Link)
	if len(file.Item) > 0 {
		buildItems(scope{p: p, request: strconv.Quote(own.Name)}, file.Item, false)
	} else if len(file.Events) == 0 && (merged.SendRequests == nil || *merged.SendRequests) {
		fail("it says what pushes hold, and names nothing that could be asked for: it belongs to send_requests = false")
		return own.Item, own.Item, file
	}
	if err := p.err(); err != nil {
		fail("in it: %v", err)
		return own.Item, own.Item, file
	}
	merged.inherit(&file.Link)
	names := make([]string, len(file.Item))
	for i := range file.Item {
		names[i] = file.Item[i].Name
	}
	chosen, idle, err := preset.Choose(names, merged.PresetItems)
	if err == nil && len(idle) > 0 {
		sc.bad("preset_items", show(merged.PresetItems), "no item of preset %q has a name like %q", name, idle[0])
	} else if err != nil {
		sc.bad("preset_items", show(merged.PresetItems), "%v", err)
	}
	items = slices.Clone(own.Item)
	for i, it := range file.Item {
		if err == nil && chosen[i] && !slices.ContainsFunc(own.Item, it.alike) {
			items = append(items, it)
		}
	}
	return items, slices.Concat(own.Item, file.Item), file
}

// alike reports whether two items read the same attribute.
func (c *Item) alike(other Item) bool {
	attribute := func(n *int) int {
		if n == nil {
			return 2
		}
		return *n
	}
	a, err1 := obis.Parse(c.OBIS)
	b, err2 := obis.Parse(other.OBIS)
	return err1 == nil && err2 == nil && a == b && attribute(c.Attribute) == attribute(other.Attribute)
}

// checkPreset says so once if the preset is not for the meter that answers.
func (s *session) checkPreset() {
	if s.st.compared {
		return
	}
	s.st.compared = true
	name, title := "", hex.EncodeToString(s.as.Parameters().Title)
	if b, err := hex.DecodeString(s.name.text); err == nil {
		name = strings.TrimRight(cleanText(string(b)), " ")
	}
	if why := s.r.match.Differs(name, title); why != "" {
		s.l.d.Log.Warnf("%s: The preset is not made for this meter: %s", s.r.where(s.st.device), why)
	}
}
