package dlms_cosem

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// item is a configured value, ready to be read and decoded.
type item struct {
	name string

	obis     obis.Code
	class    cosem.ClassID // configured, or the standard's guess
	classSet bool          // configured
	usual    cosem.ClassID // the standard's guess
	id       int8          // attribute
	base     *uint16       // base name, given by the user

	decode    func(class cosem.ClassID, d axdr.Data) (value, error)
	numeric   bool    // data_type is auto or a number that a scaler applies to
	scaler    *int    // in place of the meter's
	unit      *string // in place of the meter's
	apply     bool    // apply the scaler
	exponent  int     // decimal part of scale, added to the scaler
	factor    float64 // the rest of scale
	meterTime bool    // timestamp = "meter"

	placed   bool // of a push: it is known by its place only, obis is none
	standard bool // of a push: nothing is configured for it
	fallback bool // of a push: scaler and unit count only where the meter sends none
}

// valueAttribute reports whether the attribute of a class is one that the
// class's scaler and unit belong to (Blue Book Ed. 13, clause 4.3).
func valueAttribute(class cosem.ClassID, id int8) bool {
	if class == cosem.DemandRegister {
		return id == 2 || id == 3
	}
	return id == 2
}

// scalerAttribute returns where the scaler and unit of the item are, if it has
// them in that class and they matter.
func (it *item) scalerAttribute(class cosem.ClassID) (at cosem.Attribute, ok bool) {
	if !it.numeric || !it.apply || it.scaler != nil && it.unit != nil || !valueAttribute(class, it.id) {
		return cosem.Attribute{}, false
	}
	id, ok := cosem.ScalerAttribute(class)
	return cosem.Attribute{Class: class, Instance: it.obis, ID: id}, ok
}

// captureAttribute returns where the capture time of the item's value is.
func (it *item) captureAttribute(class cosem.ClassID) (at cosem.Attribute, ok bool) {
	at = cosem.Attribute{Class: class, Instance: it.obis}
	switch class {
	case cosem.ExtendedRegister:
		at.ID = 5
	case cosem.DemandRegister:
		at.ID = 6
	default:
		return at, false
	}
	return at, it.meterTime
}

// isClock reports whether the value is the clock's own time.
func (it *item) isClock(class cosem.ClassID) bool { return class == cosem.Clock && it.id == 2 }

func (it *item) attribute(class cosem.ClassID) cosem.Attribute {
	return cosem.Attribute{Class: class, Instance: it.obis, ID: it.id}
}

// describe is the item for a message: "energy" (class 3, 1.0.1.8.0.255,
// attribute 2), or the same without a name.
func (it *item) describe(class cosem.ClassID) string {
	if it.name == "" {
		return fmt.Sprintf("%s (class %d, attribute %d)", it.obis, uint16(class), it.id)
	}
	return fmt.Sprintf("%q (class %d, %s, attribute %d)", it.name, uint16(class), it.obis, it.id)
}

// scaled applies scaler and scale to a number of the meter.
func (it *item) scaled(n float64, scaler int) float64 {
	return cosem.Scale(n, scaler+it.exponent) * it.factor
}

// buildItem checks an item and makes it ready.
func buildItem(sc scope, c *Item, wide bool) *item {
	it := &item{name: c.Name, id: 2, apply: true, factor: 1, scaler: c.Scaler, unit: c.Unit}
	if strings.TrimSpace(c.Name) == "" && c.Name != "" {
		sc.bad("name", strconv.Quote(c.Name), "a name needs more than blanks")
	}
	if wide && c.Name == "time" {
		sc.bad("name", `"time"`, `with layout = "wide" it is the name of a field, and databases keep this one for the timestamp: choose another name`)
	}
	if c.OBIS == "" {
		sc.missing("obis", `this key is required, e.g. "1.0.1.8.0.255"`)
	} else if code, err := obis.Parse(c.OBIS); err != nil {
		sc.bad("obis", strconv.Quote(c.OBIS), "%v", err)
	} else {
		it.obis = code
	}
	it.usual = cosem.GuessClass(it.obis)
	it.class = it.usual
	checkNumber(sc, "class", c.Class, 1, math.MaxUint16)
	if c.Class != nil {
		it.class, it.classSet = cosem.ClassID(*c.Class), true
	}
	checkNumber(sc, "attribute", c.Attribute, -128, 127)
	if c.Attribute != nil {
		if *c.Attribute == 0 {
			sc.bad("attribute", "0", "attribute 0 stands for all attributes: give the number of one")
		}
		it.id = int8(*c.Attribute)
	}
	checkNumber(sc, "base_name", c.BaseName, math.MinInt16, math.MaxUint16)
	if c.BaseName != nil {
		base := uint16(*c.BaseName)
		it.base = &base
	}
	if c.ApplyScaler != nil {
		it.apply = *c.ApplyScaler
	}
	checkNumber(sc, "scaler", c.Scaler, -128, 127)
	if c.Scaler != nil && !it.apply {
		sc.bad("scaler", strconv.Itoa(*c.Scaler), "with apply_scaler = false it has no effect: remove one of the two")
	}
	if c.Unit != nil && len(*c.Unit) > 64 {
		sc.bad("unit", show(*c.Unit), "too long for a unit (at most 64 octets)")
	}
	buildDecode(sc, c, it)
	buildScale(sc, c, it)
	buildTimestamp(sc, c, it, wide)
	return it
}

func buildDecode(sc scope, c *Item, it *item) {
	name := c.DataType
	if name == "" {
		name = "auto"
	}
	path, err := parseElement(c.Element)
	if err != nil {
		sc.bad("element", show(c.Element), "%v", err)
	}
	t, ok := lookupType(name)
	if !ok {
		sc.oneOf("data_type", c.DataType, typeNames()...)
		return
	}
	it.numeric = t.scalable
	it.decode = t.decoder(it.id)
	if len(path) > 0 {
		it.decode = atElement(path, it.decode)
	}
}

// parseElement reads "2.1": the first element of the second element.
func parseElement(v any) ([]int, error) {
	const want = `"2", or "2.1" for the first element of the second one, is expected (counted from 1)`
	var text string
	switch v := v.(type) {
	case nil:
		return nil, nil
	case int64:
		text = strconv.FormatInt(v, 10)
	case string:
		text = v
	case float64:
		return nil, fmt.Errorf(`a path has to stand in quotes, as a number may lose a zero: "2.1"`)
	default:
		return nil, fmt.Errorf("not an element: %s", want)
	}
	var path []int
	for part := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > math.MaxUint16 || len(path) == axdr.MaxDepth {
			return nil, fmt.Errorf("not an element: %s", want)
		}
		path = append(path, n)
	}
	return path, nil
}

// buildScale splits scale into a power of ten, which is exact, and the rest.
func buildScale(sc scope, c *Item, it *item) {
	var scale float64
	switch v := c.Scale.(type) {
	case nil:
		return
	case int64:
		scale = float64(v)
	case float64:
		scale = v
	default:
		sc.bad("scale", show(c.Scale), "a number is expected, e.g. 0.001")
		return
	}
	if scale == 0 || math.IsNaN(scale) || math.IsInf(scale, 0) {
		sc.bad("scale", show(c.Scale), "a number other than 0 is expected, e.g. 0.001")
		return
	}
	if scale != 1 && c.Unit == nil && it.numeric {
		sc.bad("scale", show(c.Scale), `it changes the unit, so "unit" has to be given too: kWh must not be called Wh`)
	}
	it.factor = scale
	for e := -18; e <= 18; e++ {
		if p, err := strconv.ParseFloat("1e"+strconv.Itoa(e), 64); err == nil && p == math.Abs(scale) {
			it.exponent, it.factor = e, math.Copysign(1, scale)
		}
	}
}

func buildTimestamp(sc scope, c *Item, it *item, wide bool) {
	if !sc.oneOf("timestamp", c.Timestamp, "run", "meter") || c.Timestamp != "meter" {
		return
	}
	it.meterTime = true
	_, hasCapture := it.captureAttribute(it.class)
	switch {
	case wide:
		sc.bad("timestamp", `"meter"`, `a metric of layout = "wide" has one time for all its items: use layout = "obis" for this one`)
	case it.classSet && !hasCapture && !it.isClock(it.class):
		sc.bad("timestamp", `"meter"`, "class %d has no capture time: classes 4 and 5 and the clock (class 8) have one", it.class)
	default:
	}
}

// buildItems makes the items of a request ready, and refuses those that would
// write the same series or field.
func buildItems(sc scope, items []Item, wide bool) []*item {
	if len(items) == 0 {
		sc.missing("item", "no items: a request needs at least one [[inputs.dlms_cosem.request.item]]")
	}
	var list []*item
	fields := map[string]string{} // field or series -> who has it
	for i := range items {
		c := &items[i]
		isc := sc
		isc.path = fmt.Sprintf("%s.item[%d]", sc.path, i)
		isc.item = strconv.Itoa(i + 1)
		if c.Name != "" {
			isc.item = strconv.Quote(c.Name)
		}
		it := buildItem(isc, c, wide)
		list = append(list, it)
		if c.Name == "" && it.obis == (obis.Code{}) {
			continue
		}
		for _, key := range it.claims(c, wide) {
			who, taken := fields[key]
			switch {
			case !taken:
				fields[key] = isc.item
				continue
			case c.Name == "":
				isc.bad("obis", strconv.Quote(c.OBIS), "item %s reads the same attribute: give both a name, so that they can be told apart", who)
			case who == isc.item:
				isc.bad("name", strconv.Quote(c.Name), "another item of this request has this name")
			default:
				isc.bad("name", strconv.Quote(c.Name), `with layout = "wide" its field %q may also be written by item %s: choose another name`, key, who)
			}
			break
		}
	}
	return list
}

// claims lists what only one item of a request may write.
func (it *item) claims(c *Item, wide bool) []string {
	key := c.Name
	if key == "" {
		key = it.fieldName(it.class)
	}
	if !wide {
		return []string{key}
	}
	return []string{key, key + "_text", key + "_flag"}
}

// fieldName is the name in the layout wide.
func (it *item) fieldName(class cosem.ClassID) string {
	if it.name != "" {
		return it.name
	}
	s := it.obis.String()
	if it.id != 2 || class != it.usual {
		s += ":" + strconv.Itoa(int(it.id))
	}
	if class != it.usual {
		s += ":" + strconv.Itoa(int(class))
	}
	return s
}
