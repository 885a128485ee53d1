package dlms_cosem

import (
	"fmt"
	"strconv"
)

// fieldKinds knows for each measurement which type its fields have: databases
// refuse points whose fields have another one than before.
type fieldKinds map[string]map[string]kindOf

// kindOf is the type of a field, and who writes it.
type kindOf struct{ kind, who string }

// claim takes the fields of a request, and refuses those that have another type
// in another request of the same measurement.
func (f fieldKinds) claim(sc scope, r *request) {
	known := f[r.measurement]
	if known == nil {
		known = map[string]kindOf{}
		f[r.measurement] = known
	}
	who := "request " + sc.request
	conflict := func(number, text, flag string) (field, kind string, have kindOf) {
		for _, c := range [...][2]string{{number, "number"}, {text, "text"}, {flag, "boolean"}} {
			have, taken := known[c[0]]
			if taken && have.who != who && have.kind != c[1] {
				return c[0], c[1], have
			}
			known[c[0]] = kindOf{c[1], who}
		}
		return "", "", kindOf{}
	}
	if !r.wide {
		if field, kind, have := conflict("value", "text", "flag"); field != "" {
			sc.bad("measurement", strconv.Quote(r.measurement), "its field %q is a %s here, but a %s in %s: choose another measurement", field, kind, have.kind, have.who)
		}
		return
	}
	for i, it := range r.items {
		name := it.fieldName(it.class)
		if field, kind, have := conflict(name, name+"_text", name+"_flag"); field != "" {
			isc := sc
			isc.path, isc.item = fmt.Sprintf("%s.item[%d]", sc.path, i), strconv.Quote(name)
			isc.bad("name", strconv.Quote(name), "its field %q is a %s here, but a %s in %s, which has the same measurement: choose another name, or another measurement", field, kind, have.kind, have.who)
		}
	}
}
