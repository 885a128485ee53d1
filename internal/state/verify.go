package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
)

// The layout of a bbolt file. bbolt itself follows page numbers in a file
// without limits, so that a damaged one may make it panic or run for ever: what
// is opened has been walked here before.
const (
	magic       = 0xED0CDAED
	fileVersion = 2

	pageHeader  = 16 // id 8, flags 2, count 2, overflow 4
	element     = 16 // branch: pos 4, key size 4, page 8; leaf: flags 4, pos 4, key size 4, value size 4
	bucketSize  = 16 // root page 8, sequence 8
	metaSize    = 64
	metaSummed  = 56
	branchPage  = 0x01
	leafPage    = 0x02
	bucketLeaf  = 0x01
	leastPage   = 1 << 9
	largestPage = 1 << 16
	deepest     = 16 // pages on the way to a leaf, and buckets in each other
)

var (
	errNoFile  = errors.New("it is no bbolt file")
	errVersion = errors.New("it is a bbolt file of another version")
)

// walker walks the pages of a file.
type walker struct {
	file []byte
	size int             // of a page
	high uint64          // pages in use
	free uint64          // the page that lists those that are free
	seen map[uint64]bool // pages that were visited
}

// verify walks the tree of a file and returns what is wrong with it.
func verify(file []byte) error {
	w := walker{file: file, seen: map[uint64]bool{0: true, 1: true}}
	root, err := w.meta()
	if err != nil {
		return err
	}
	if w.high > uint64(len(file)/w.size) {
		return fmt.Errorf("it is cut off: %d pages of %d octets are in use, the file has %d octets", w.high, w.size, len(file))
	}
	if err := w.tree(root, 0); err != nil {
		return err
	}
	return w.freelist()
}

// freelist looks at the pages that are free: one that is in use would be
// written over.
func (w *walker) freelist() error {
	b, err := w.page(w.free)
	if err != nil {
		return err
	}
	const listed, all = 0x10, 0xFFFF // kind of page; the count stands in the first entry
	count, ids := uint64(u16(b[10:])), b[pageHeader:]
	if u16(b[8:]) != listed || len(ids) < 8 {
		return errors.New("the list of free pages is damaged")
	}
	if count == all {
		count, ids = u64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return errors.New("the list of free pages is cut off")
	}
	before := uint64(1)
	for i := range count {
		id := u64(ids[8*i:])
		if id <= before || id >= w.high || w.seen[id] {
			return fmt.Errorf("page %d is in use and called free", id)
		}
		before = id
	}
	return nil
}

// meta reads the newer one of the meta pages that are whole.
func (w *walker) meta() (root uint64, err error) {
	err = errNoFile
	var newest uint64
	size := 0
	for _, at := range w.metaOffsets() {
		if at+pageHeader+metaSize > len(w.file) {
			continue
		}
		b := w.file[at+pageHeader:][:metaSize]
		sum := fnv.New64a()
		_, _ = sum.Write(b[:metaSummed])
		pageSize := int(u32(b[8:]))
		switch {
		case u32(b) != magic:
			continue
		case u32(b[4:]) != fileVersion:
			err = errVersion
			continue
		case u64(b[metaSummed:]) != sum.Sum64(), pageSize < leastPage, pageSize > largestPage, pageSize&(pageSize-1) != 0:
			if size == 0 {
				err = errors.New("its head is damaged")
			}
			continue
		}
		if tx := u64(b[48:]); size == 0 || tx > newest {
			newest, size, err = tx, pageSize, nil
			root, w.free, w.high = u64(b[16:]), u64(b[32:]), u64(b[40:])
		}
	}
	w.size = size
	return root, err
}

// metaOffsets is where the two meta pages may be: the second one stands behind
// the first, whose size is not known if it is damaged.
func (w *walker) metaOffsets() []int {
	list := []int{0}
	for size := leastPage; size <= largestPage; size *= 2 {
		list = append(list, size)
	}
	return list
}

// page returns a page with those that continue it.
func (w *walker) page(id uint64) ([]byte, error) {
	if id < 2 || id >= w.high || w.seen[id] {
		return nil, fmt.Errorf("page %d of %d is damaged or used twice", id, w.high)
	}
	b := w.file[int(id)*w.size:]
	n := uint64(u32(b[12:])) + 1
	if u64(b) != id || n > w.high-id {
		return nil, fmt.Errorf("page %d is damaged", id)
	}
	for i := range n {
		if w.seen[id+i] {
			return nil, fmt.Errorf("page %d is used twice", id+i)
		}
		w.seen[id+i] = true
	}
	return b[:int(n)*w.size], nil
}

// tree walks the pages below one.
func (w *walker) tree(id uint64, depth int) error {
	if depth > deepest {
		return fmt.Errorf("page %d is too deep", id)
	}
	b, err := w.page(id)
	if err != nil {
		return err
	}
	return w.elements(b, depth, false)
}

// elements walks what a page holds. inline says that it stands in a value.
func (w *walker) elements(b []byte, depth int, inline bool) error {
	if len(b) < pageHeader || depth > deepest {
		return errors.New("a page is cut off")
	}
	flags, count := u16(b[8:]), int(u16(b[10:]))
	if inline && flags != leafPage || flags != leafPage && flags != branchPage {
		return fmt.Errorf("a page of kind %#x where none belongs", flags)
	}
	if pageHeader+count*element > len(b) {
		return errors.New("a page has more entries than room")
	}
	var before []byte
	for i := range count {
		at := pageHeader + i*element
		e := b[at:]
		pos, key := uint64(u32(e)), uint64(u32(e[4:]))
		value := uint64(0)
		if flags == leafPage {
			pos, key, value = uint64(u32(e[4:])), uint64(u32(e[8:])), uint64(u32(e[12:]))
		}
		if uint64(at)+pos+key+value > uint64(len(b)) || key == 0 {
			return errors.New("an entry reaches beyond its page")
		}
		name := b[uint64(at)+pos:][:key]
		if before != nil && string(before) >= string(name) {
			return errors.New("entries are out of order")
		}
		before = name
		var err error
		switch {
		case flags == branchPage:
			err = w.tree(u64(e[8:]), depth+1)
		case u32(e)&bucketLeaf != 0:
			err = w.bucket(b[uint64(at)+pos+key:][:value], depth+1)
		default:
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bucket walks a bucket within another one.
func (w *walker) bucket(value []byte, depth int) error {
	if len(value) < bucketSize {
		return errors.New("a bucket is cut off")
	}
	if root := u64(value); root != 0 {
		return w.tree(root, depth)
	}
	return w.elements(value[bucketSize:], depth, true)
}

func u16(b []byte) uint16 { return binary.NativeEndian.Uint16(b) }
func u32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }
func u64(b []byte) uint64 { return binary.NativeEndian.Uint64(b) }
