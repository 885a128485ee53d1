package dlms_cosem

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/internal/preset"
)

const (
	profileMeasurement = "dlms_cosem_profile"

	usualLookback = 7 * 24 * time.Hour
	usualRate     = 1000 // lines per second: below what Telegraf's buffer of 10,000 metrics and flushes of 10 s take
	mostLookback  = 100 * 366 * 24 * time.Hour
)

// profile is a configured profile, checked and ready to be read.
type profile struct {
	name     string // the tag; the OBIS code if it has none
	obis     obis.Code
	lookback time.Duration // of the first run
	maxAge   time.Duration // older rows are not asked for; 0: there is no limit
	reread   time.Duration // how often as much is read again; 0: never
	rate     int           // lines per second

	columns []chosenColumn    // nil: all
	written []string          // as they are in the configuration
	known   []Item            // items that give columns their names, scalers, units and types
	events  map[string]string // texts of event codes
}

// chosenColumn is an element of the key columns: [NAME=]OBIS[:ATTRIBUTE].
type chosenColumn struct {
	name string // empty: that of the item, else the OBIS code
	obis obis.Code
	id   int8 // 0: any
}

// parseColumn reads an element of columns. It may also be the name of an item.
func parseColumn(text string, known []Item) (c chosenColumn, err error) {
	code := strings.TrimSpace(text)
	if name, rest, named := strings.Cut(code, "="); named {
		c.name, code = strings.TrimSpace(name), strings.TrimSpace(rest)
		if c.name == "" {
			return c, fmt.Errorf("%q: a name is expected before =", text)
		}
	}
	if i := slices.IndexFunc(known, func(it Item) bool { return it.Name != "" && it.Name == code }); i >= 0 && c.name == "" {
		c.name, code = known[i].Name, known[i].OBIS
		if a := known[i].Attribute; a != nil {
			c.id = int8(*a)
		}
	} else if i := strings.LastIndexByte(code, ':'); i >= 0 && !strings.ContainsAny(code[i+1:], ".*") {
		id, err := strconv.ParseInt(code[i+1:], 10, 8)
		if err != nil || id == 0 {
			return c, fmt.Errorf("%q: the number of an attribute is expected after the last colon", text)
		}
		c.id, code = int8(id), code[:i]
	}
	if c.obis, err = obis.Parse(code); err != nil {
		return c, fmt.Errorf(`%q: [NAME=]OBIS[:ATTRIBUTE] is expected, or the name of an item: %w`, text, err)
	}
	if c.name == "time" {
		return c, fmt.Errorf("%q: databases keep the name time for the timestamp: choose another one", text)
	}
	return c, nil
}

// fits reports whether a column of the profile is meant.
func (c chosenColumn) fits(o cosem.CaptureObject) bool {
	return c.obis == o.Instance && (c.id == 0 || c.id == valueID(o))
}

// valueID is the attribute that a column holds. Some meters have 0, which is all
// of them, for the value of a register.
func valueID(o cosem.CaptureObject) int8 {
	if o.Attribute == 0 {
		return 2
	}
	return o.Attribute
}

// buildProfiles checks the profiles of a request.
func buildProfiles(sc scope, own *Request, known []Item, events map[string]map[string]string) (list []*profile) {
	names := map[string]bool{}
	for i := range own.Profile {
		c := &own.Profile[i]
		psc := sc
		psc.path, psc.profile = fmt.Sprintf("%s.profile[%d]", sc.path, i), strconv.Itoa(i+1)
		if c.Name != "" {
			psc.profile = strconv.Quote(c.Name)
		}
		p := &profile{
			name: c.Name, known: known, rate: usualRate, written: c.Columns,
			lookback: c.Lookback.Or(usualLookback), maxAge: c.MaxAge.Or(0), reread: c.Reread.Or(0),
		}
		if strings.TrimSpace(c.Name) == "" && c.Name != "" {
			psc.bad("name", strconv.Quote(c.Name), "a name needs more than blanks")
		}
		if c.OBIS == "" {
			psc.missing("obis", `this key is required, e.g. "1.0.99.1.0.255"`)
		} else if code, err := obis.Parse(c.OBIS); err != nil {
			psc.bad("obis", strconv.Quote(c.OBIS), "%v", err)
		} else {
			p.obis = code
		}
		if p.name == "" {
			p.name = p.obis.String()
		}
		if names[p.name] {
			psc.bad("name", strconv.Quote(p.name), "another profile of this request has this name")
		}
		names[p.name] = true
		checkDuration(psc, "lookback", c.Lookback, 0, mostLookback)
		checkDuration(psc, "max_age", c.MaxAge, time.Minute, mostLookback)
		checkDuration(psc, "reread", c.Reread, time.Minute, mostLookback)
		checkNumber(psc, "rate", c.Rate, 1, math.MaxInt32)
		if c.Rate != nil && *c.Rate > 0 {
			p.rate = *c.Rate
		}
		if c.Columns != nil && len(c.Columns) == 0 {
			psc.bad("columns", "[]", "no column is chosen: leave the key out for all of them")
		}
		for _, text := range c.Columns {
			column, err := parseColumn(text, known)
			if err != nil {
				psc.bad("columns", show(c.Columns), "%v", err)
				continue
			}
			p.columns = append(p.columns, column)
		}
		p.events = events[preset.AnyLog]
		for log, texts := range events {
			if code, err := obis.Parse(log); err == nil && code == p.obis {
				p.events = texts
			}
		}
		list = append(list, p)
	}
	return list
}

// eventText is what the code of an event means, by the preset.
func (p *profile) eventText(code float64) (text string, known bool) {
	text, known = p.events[formatNumber(code)]
	return cleanText(text), known
}

// ofProfile is the request of one profile: it has no items, and runs for itself,
// so that what is read for long is not in the way of what is live.
func (r *request) ofProfile(p *profile) *request {
	own := *r
	own.items, own.profiles, own.profile = nil, nil, p
	own.wide = true
	if r.measurementGiven {
		return &own
	}
	own.measurement = profileMeasurement
	return &own
}
