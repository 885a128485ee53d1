package main

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// structured returns the data of a reading if it is an array or a structure.
func structured(raw string) (axdr.Data, bool) {
	b, err := hex.DecodeString(raw)
	if err != nil {
		return nil, false
	}
	d, err := axdr.Parse(b)
	if err != nil || d.Tag() != axdr.TagArray && d.Tag() != axdr.TagStructure {
		return nil, false
	}
	return d, true
}

// wholeText writes data as axdr.Data.String does, however long it is.
func wholeText(d axdr.Data) string {
	if d.Tag() != axdr.TagArray && d.Tag() != axdr.TagStructure {
		return d.String()
	}
	elements := make([]string, 0, d.Len())
	for e := range d.All() {
		elements = append(elements, wholeText(e))
	}
	return fmt.Sprintf("%v(%d){%s}", d.Tag(), d.Len(), strings.Join(elements, ", "))
}

// jsonData makes JSON of data: arrays and structures are arrays, octet-strings
// hexadecimal text; numbers, texts and booleans are themselves.
func jsonData(d axdr.Data) any {
	switch d.Tag() {
	case axdr.TagArray, axdr.TagStructure:
		list := make([]any, 0, d.Len())
		for e := range d.All() {
			list = append(list, jsonData(e))
		}
		return list
	case axdr.TagNull, axdr.TagDontCare:
		return nil
	case axdr.TagOctetString:
		b, _ := d.Octets()
		return hex.EncodeToString(b)
	case axdr.TagVisibleString, axdr.TagUTF8String:
		b, _ := d.Octets()
		return strings.ToValidUTF8(string(b), "\ufffd")
	default:
	}
	if n, ok := d.Int64(); ok {
		return n
	}
	if n, ok := d.Uint64(); ok {
		return n
	}
	if f, ok := d.Float64(); ok && !math.IsNaN(f) && !math.IsInf(f, 0) {
		return f
	}
	if b, ok := d.Bool(); ok {
		return b
	}
	return strings.TrimPrefix(d.String(), d.Tag().String()+" ")
}
