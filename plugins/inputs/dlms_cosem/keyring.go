package dlms_cosem

import (
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// keyring has the keys of an endpoint: those of its requests, and those of
// their files, by system title.
type keyring struct {
	l     *listener
	mu    sync.Mutex
	dir   string
	own   []*ownKeys
	files []*keysFile
	made  map[[sha256.Size]byte]*security.Context
	// openers are for keys that are wrapped or agreed on, by the print of all that they are made of.
	openers map[[sha256.Size]byte]*dlms.Opener
}

// ownKeys are the keys that a request states.
type ownKeys struct {
	identity string // a glob that the system title must fit; empty: any
	keys     [2]Secret
	suite    uint8
	further  *protection // master key, and keys for agreement; nil: none
}

// opened says how a ciphered APDU was opened.
type opened struct {
	title   string // hexadecimal digits
	control security.Control
	counter uint32
	print   [sha256.Size]byte // of the key
}

// noKeyError is a ciphered telegram that there is no key for.
type noKeyError struct {
	title string
	file  string // where the key was looked for; empty: there are no keys at all
}

func (e *noKeyError) Error() string {
	s := "an encrypted telegram came from system title " + e.title
	switch {
	case e.title == "":
		s = "an encrypted telegram came without a system title"
	case e.file != "":
		return s + ", which is not in " + e.file
	}
	return s + ", and there is no key for it"
}

// openError is a ciphered telegram that could not be opened.
type openError struct {
	title string
	err   error
	since time.Time // when telegrams of this meter could still be opened; zero: never
}

func (e *openError) Error() string {
	s := "system title " + e.title + ": "
	if !e.since.IsZero() {
		s += "telegrams could be opened until " + e.since.Format(time.DateTime) + ": "
	}
	return s + e.err.Error()
}
func (e *openError) Unwrap() error { return e.err }

func newKeyring(l *listener) *keyring {
	k := &keyring{l: l, dir: path.Dir(l.d.ConfigPath), made: map[[sha256.Size]byte]*security.Context{}, openers: map[[sha256.Size]byte]*dlms.Opener{}}
	for _, r := range l.passive {
		if r.keys[0].Set() {
			k.own = append(k.own, &ownKeys{identity: r.identity, keys: r.keys, suite: r.suite, further: r.opening})
		}
		if r.keysFile != "" {
			k.files = append(k.files, &keysFile{path: resolve(k.dir, r.keysFile)})
		}
	}
	return k
}

// resolve makes a path relative to the directory of the configuration absolute.
func resolve(dir, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(dir, file)
}

// candidate is a key that may be the meter's.
type candidate struct {
	context *security.Context
	keys    security.Keys
	further *protection // nil: there are no further keys
	print   [sha256.Size]byte
}

// find returns the keys for a system title: that of a file, else those of the
// requests. Secrets and files are read anew when they change.
func (k *keyring) find(title string) (list []candidate, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var looked []string
	for _, f := range k.files {
		keys, known, err := f.lookup(title)
		if err != nil {
			return nil, err
		}
		if f.err != nil { // the keys of before are still there
			k.l.complain("keys "+f.path, f.err)
		} else {
			k.l.forget("keys " + f.path)
		}
		looked = append(looked, f.path)
		if known {
			c, err := k.context(keys)
			return []candidate{c}, err
		}
	}
	for _, own := range k.own {
		if own.identity != "" && title != "" && looksLikeTitle(own.identity) && !globFits(own.identity, title) {
			continue
		}
		keys, err := own.read()
		if err != nil {
			return nil, err
		}
		c, err := k.context(keys)
		c.keys, c.further = keys, own.further
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, &noKeyError{title: title, file: strings.Join(looked, ", ")}
	}
	return list, nil
}

// looksLikeTitle reports whether a glob is one for hexadecimal digits.
func looksLikeTitle(glob string) bool {
	return strings.Trim(strings.ToUpper(glob), "0123456789ABCDEF*?[]-") == ""
}

func globFits(glob, text string) bool {
	ok, err := path.Match(strings.ToUpper(glob), strings.ToUpper(text))
	return err == nil && ok
}

func (o *ownKeys) read() (keys security.Keys, err error) {
	keys.Suite = o.suite
	if keys.EncryptionKey, err = keyOctets(o.keys[0], o.suite); err != nil {
		return keys, fmt.Errorf("encryption_key: %w", err)
	}
	if o.keys[1].Set() {
		if keys.AuthenticationKey, err = keyOctets(o.keys[1], o.suite); err != nil {
			return keys, fmt.Errorf("authentication_key: %w", err)
		}
	}
	return keys, nil
}

// context returns the context of keys, which is made once.
func (k *keyring) context(keys security.Keys) (candidate, error) {
	c := candidate{print: sha256.Sum256(append(append([]byte(nil), keys.EncryptionKey...), keys.AuthenticationKey...))}
	if c.context = k.made[c.print]; c.context != nil {
		return c, nil
	}
	var err error
	if c.context, err = security.NewContext(keys); err != nil {
		return c, err
	}
	if len(k.made) >= mostDevices {
		clear(k.made)
	}
	k.made[c.print] = c.context
	return c, nil
}

// opener returns the opener of keys and further ones, which is made once.
func (k *keyring) opener(keys security.Keys, further *protection) (*dlms.Opener, error) {
	x := dlms.Security{Keys: keys, Title: further.title}
	secrets, err := further.furtherSecrets(&x)
	if err != nil {
		return nil, err
	}
	print := sha256.Sum256(append(append(append([]byte(nil), keys.EncryptionKey...), keys.AuthenticationKey...), secrets...))
	if o := k.openers[print]; o != nil {
		return o, nil
	}
	o, err := dlms.NewOpener(x)
	if err != nil {
		return nil, err
	}
	if len(k.openers) >= mostDevices {
		clear(k.openers)
	}
	k.openers[print] = o
	return o, nil
}

// openWith opens a ciphered APDU with a key, in whatever form it comes. The further
// keys are read only for what is under one of them.
func (k *keyring) openWith(c candidate, dst, title []byte, x xdlms.Ciphered) ([]byte, error) {
	if x.Key.Choice != xdlms.KeyWrapped && x.Key.Choice != xdlms.KeyAgreed {
		return c.context.OpenWith(dst, title, x.Protected, x.General.Authentic, dlms.Plausible)
	}
	if c.further == nil {
		return dst, errors.New("its key is wrapped or agreed on: set master_key, or agreement_key and server_agreement_key or server_signing_key")
	}
	o, err := k.opener(c.keys, c.further)
	if err != nil {
		return dst, err
	}
	return o.Open(dst, title, x, dlms.Plausible)
}

// open opens a ciphered APDU with the keys of its sender.
func (e *ear) open(dst []byte, c xdlms.Ciphered) ([]byte, error) {
	title := c.Title
	if len(title) == 0 {
		title = e.title
		if len(title) == 0 {
			title = e.l.meterTitle()
		}
	} else if !e.datagram {
		e.title = append(e.title[:0], title...)
	}
	control, _ := security.ControlOf(c.Protected)
	counter, _ := security.Counter(c.Protected)
	o := &opened{title: titleText(title), control: control, counter: counter}
	e.opened = o
	candidates, err := e.l.keys.find(o.title)
	if err != nil {
		return dst, err
	}
	e.l.keys.mu.Lock() // the contexts are everybody's
	defer e.l.keys.mu.Unlock()
	var failed error
	for _, k := range candidates {
		out, err := e.l.keys.openWith(k, dst, title, c)
		if err == nil || len(out) > len(dst) {
			o.print = k.print
			return out, err
		}
		if failed == nil || reasonOf(err) == security.WrongTag {
			failed = err
		}
	}
	return dst, failed
}

func reasonOf(err error) security.Reason {
	var e *security.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return 0
}

// keysFile is a CSV file of system title, encryption key and authentication
// key, which is read again when it changes.
type keysFile struct {
	path    string
	looked  time.Time
	changed time.Time
	size    int64
	keys    map[string]security.Keys
	err     error
}

// lookAgain is how often a file is looked at for a change.
const lookAgain = time.Second

// largestKeysFile is for some 100,000 meters.
const largestKeysFile = 32 << 20

// lookup returns the keys of a system title.
func (f *keysFile) lookup(title string) (keys security.Keys, known bool, err error) {
	if now := time.Now(); f.looked.IsZero() || now.Sub(f.looked) >= lookAgain {
		f.looked = now
		f.refresh()
	}
	if f.err != nil && f.keys == nil {
		return keys, false, f.err
	}
	keys, known = f.keys[title]
	return keys, known, nil
}

// refresh reads the file if it has changed. One that cannot be read does not
// cost the keys that were in it before.
func (f *keysFile) refresh() {
	info, err := os.Stat(f.path)
	if err != nil {
		f.err = fmt.Errorf("keys_file: %w", err)
		return
	}
	if f.keys != nil && info.ModTime().Equal(f.changed) && info.Size() == f.size {
		return
	}
	keys, err := readKeysFile(f.path, info)
	if err != nil {
		f.err = err
		return
	}
	f.keys, f.err, f.changed, f.size = keys, nil, info.ModTime(), info.Size()
}

// readKeysFile reads a file of keys. Errors name the line, never what stands in it.
func readKeysFile(file string, info os.FileInfo) (map[string]security.Keys, error) {
	if err := private(file, info); err != nil {
		return nil, fmt.Errorf("keys_file: %w", err)
	}
	if info.Size() > largestKeysFile {
		return nil, fmt.Errorf("keys_file: %s has %d octets, at most %d are read", file, info.Size(), largestKeysFile)
	}
	f, err := os.Open(file) //nolint:gosec // the configuration names it
	if err != nil {
		return nil, fmt.Errorf("keys_file: %w", err)
	}
	defer func() { _ = f.Close() }()
	in := csv.NewReader(f)
	in.FieldsPerRecord, in.TrimLeadingSpace, in.Comment, in.ReuseRecord = -1, true, '#', true
	keys := map[string]security.Keys{}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return keys, nil
		}
		line, _ := in.FieldPos(0)
		if err != nil {
			return nil, fmt.Errorf("keys_file: %s:%d: no line of CSV: title, encryption_key, authentication_key is expected", file, line)
		}
		title := strings.ToUpper(strings.TrimSpace(record[0]))
		if len(keys) == 0 && strings.EqualFold(title, "title") {
			continue
		}
		k, err := keysOf(title, record)
		if err != nil {
			return nil, fmt.Errorf("keys_file: %s:%d: %w", file, line, err)
		}
		if _, twice := keys[title]; twice {
			return nil, fmt.Errorf("keys_file: %s:%d: system title %s is there twice", file, line, title)
		}
		keys[title] = k
	}
}

func keysOf(title string, record []string) (k security.Keys, err error) {
	if b, err := hexOctets(title); err != nil || len(b) != security.TitleLength {
		return k, fmt.Errorf("a system title has %d hexadecimal digits", 2*security.TitleLength)
	}
	if len(record) < 2 || len(record) > 3 {
		return k, fmt.Errorf("%s: title, encryption_key, authentication_key is expected", counted(len(record), "field"))
	}
	for i, name := range []string{"", "encryption_key", "authentication_key"} {
		if i == 0 || i >= len(record) || i == 2 && strings.TrimSpace(record[2]) == "" {
			continue
		}
		b, err := hexOctets(strings.TrimSpace(record[i]))
		if i == 1 && len(b) == security.KeyLengthOf(2) {
			k.Suite = 2
		}
		if n := security.KeyLengthOf(k.Suite); err != nil || len(b) != n {
			return k, fmt.Errorf("%s: %d hexadecimal digits are expected, with suite 2 64 in both keys", name, 2*n)
		}
		if i == 1 {
			k.EncryptionKey = b
		} else {
			k.AuthenticationKey = b
		}
	}
	return k, nil
}
