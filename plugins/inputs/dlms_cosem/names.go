package dlms_cosem

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

// namesTimeouts is how many times the request's timeout a run may take that
// reads the object list of a meter with short names: that is done once, and at
// 300 baud it takes minutes.
const namesTimeouts = 10

// checkNames reports base names where they have no effect.
func checkNames(sc scope, items []Item, r *request) {
	for i := range items {
		if items[i].BaseName == nil || r.association.short {
			continue
		}
		isc := sc
		isc.path, isc.item = fmt.Sprintf("%s.item[%d]", sc.path, i), strconv.Itoa(i+1)
		if items[i].Name != "" {
			isc.item = strconv.Quote(items[i].Name)
		}
		isc.bad("base_name", strconv.Itoa(*items[i].BaseName), `it belongs to short names: set referencing = "sn", or remove it`)
	}
}

// givenNames are the base names that the user has given.
func (r *request) givenNames() (list []cosem.ShortName, all bool) {
	all = len(r.items) > 0 // of a profile nothing is given
	for _, it := range r.items {
		if it.base == nil {
			all = false
			continue
		}
		list = append(list, cosem.ShortName{Base: *it.base, Class: it.class, Instance: it.obis})
	}
	return list, all
}

// shortNames are the names by which the items of the request are read: those of
// the meter's object list, and before them those that the user has given.
func (r *request) shortNames(m *memory) cosem.ShortNames {
	given, _ := r.givenNames()
	if !r.association.short || len(given) == 0 {
		return m.Names
	}
	for i := range m.Names.Len() {
		n := m.Names.At(i)
		if !slices.ContainsFunc(given, func(g cosem.ShortName) bool { return g.Class == n.Class && g.Instance == n.Instance }) {
			given = append(given, n)
		}
	}
	return cosem.PackShortNames(given)
}

// wantsNames reports whether the run has to read the object list of the meter.
func (s *session) wantsNames() bool {
	if !s.r.association.short || len(s.memory().Names) > 0 {
		return false
	}
	_, all := s.r.givenNames()
	return !all
}

// learnNames reads the object list of a meter with short names, if it is not
// known. It is kept with what is learned, bound to the meter's identity.
func (s *session) learnNames(ctx context.Context) error {
	if !s.wantsNames() {
		return nil
	}
	names, err := s.as.ReadNames(ctx)
	if err != nil {
		return &namesError{err}
	}
	s.answers++
	m := s.memory()
	m.Names, s.names = names, names
	m.changed()
	return nil
}

// namesError says that the object list could not be read, so that OBIS codes
// have no names.
type namesError struct{ err error }

func (e *namesError) Error() string { return "object list: " + e.err.Error() }
func (e *namesError) Unwrap() error { return e.err }

// unlisted reports whether an error says that the meter does not list an object.
func unlisted(err error) bool {
	var access *dlms.AccessError
	return errors.As(err, &access) && access.Unlisted
}
