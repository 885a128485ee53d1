package simmeter

import (
	"maps"
	"slices"
	"sync"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// fixedObjects is what a file describes. It implements dlmstest.Objects.
type fixedObjects struct {
	byCode map[obis.Code]*fixedObject
	list   []*fixedObject
}

type fixedObject struct {
	class      cosem.ClassID
	version    uint8
	code       obis.Code
	clients    []uint16 // who sees it; nil: all
	attributes map[int8]*fixedAttribute
}

// fixedAttribute is a value, several of which are read in turn, or a result.
type fixedAttribute struct {
	values [][]byte
	result xdlms.DataAccessResult

	mu   sync.Mutex
	next int
}

// read returns the value that is due.
func (a *fixedAttribute) read() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.values[a.next]
	a.next = min(a.next+1, len(a.values)-1)
	return v
}

func (o *fixedObject) visible(client uint16) bool {
	return o.clients == nil || slices.Contains(o.clients, client)
}

// Get appends the value of an attribute (dlmstest.Objects).
func (f *fixedObjects) Get(client uint16, at cosem.Attribute, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	o, ok := f.byCode[at.Instance]
	if !ok && at.Class == cosem.AssociationLN && at.Instance == abstract(40, 0, 0) && at.ID == 2 {
		return f.appendObjectList(client, b), xdlms.Success
	}
	switch {
	case !ok || !o.visible(client):
		return b, xdlms.ObjectUndefined
	case o.class != at.Class:
		return b, xdlms.ObjectClassInconsistent
	case at.ID == 1:
		return axdr.AppendOctetString(b, o.code[:]), xdlms.Success
	}
	a, ok := o.attributes[at.ID]
	switch {
	case !ok:
		return b, xdlms.ReadWriteDenied
	case a.result != xdlms.Success:
		return b, a.result
	default:
		return append(b, a.read()...), xdlms.Success
	}
}

// appendObjectList appends the objects that client sees, with their rights.
func (f *fixedObjects) appendObjectList(client uint16, b []byte) []byte {
	var list []cosem.Object
	for _, o := range f.list {
		if !o.visible(client) {
			continue
		}
		entry := cosem.Object{Class: o.class, Version: o.version, Instance: o.code}
		entry.Attributes = append(entry.Attributes, cosem.AttributeAccess{ID: 1, Mode: cosem.ReadOnly})
		for _, id := range slices.Sorted(maps.Keys(o.attributes)) {
			access := cosem.AttributeAccess{ID: id, Mode: cosem.ReadOnly}
			if o.attributes[id].result != xdlms.Success {
				access.Mode = cosem.NoAccess
			}
			entry.Attributes = append(entry.Attributes, access)
		}
		list = append(list, entry)
	}
	return cosem.AppendObjectList(b, list)
}
