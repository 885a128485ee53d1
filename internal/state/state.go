package state

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	// format is the version of what stands in the file.
	format = 1

	metaBucket = "meta"
	formatKey  = "format"

	// lockPatience is how long the lock of the file is tried: once.
	lockPatience = time.Millisecond
	// mostOctets is the largest file that is opened.
	mostOctets = 256 << 20
)

// A Store keeps values by bucket and key. It may be used by several goroutines
// at once.
type Store struct {
	path string
	lost bool
	file os.FileInfo // which one is open

	own      sync.Mutex // before the locks of counters
	counters map[string]*Counter
	title    [8]byte
	titled   bool // the title is durable

	commits sync.Mutex // one write transaction at a time

	mu     sync.Mutex
	db     *bbolt.DB         // nil: in memory
	memory map[string][]byte // by bucket, 0 and key
	batch  *batch            // what waits for the next commit
	closed bool
	broken error // why the file cannot be used any more, though it was open
}

// batch is what several goroutines save in one transaction.
type batch struct {
	entries []entry
	done    chan struct{}
	err     error
}

// entry is a value to be written; none: the key is to be removed.
type entry struct {
	bucket, key string
	value       []byte
}

// ErrClosed is returned after Close.
var ErrClosed = errors.New("the state is closed")

// A LockedError is a file that another process has open.
type LockedError struct{ Path string }

func (e *LockedError) Error() string {
	return e.Path + " is in use by a running instance"
}

// A UsableError says why a file cannot be used; it is left as it is.
type UsableError struct {
	Path string
	Msg  string
	Err  error
}

func (e *UsableError) Error() string {
	s := e.Path + ": " + e.Msg
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}
func (e *UsableError) Unwrap() error { return e.Err }

// Memory returns a store that forgets all at the end of the program.
func Memory() *Store { return &Store{memory: map[string][]byte{}} }

// Open opens the state of a configuration in a directory, or begins one. It
// does not wait: a file that is in use is a *LockedError, one that cannot be
// used a *UsableError.
func Open(dir, config string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &UsableError{Path: dir, Msg: "the directory cannot be made", Err: reason(err)}
	}
	s := &Store{path: filepath.Join(dir, Name(config)+".db")}
	known := filepath.Join(dir, Name(config)+".txt")
	_, err := os.Stat(s.path)
	fresh := errors.Is(err, os.ErrNotExist)
	if _, err := os.Stat(known); fresh && err == nil {
		s.lost = true
	}
	if err := s.open(fresh); err != nil {
		return nil, err
	}
	// The note says whose file this is, and that there was one.
	note := "The state of " + config + " is kept in " + filepath.Base(s.path) + ".\n"
	if err := os.WriteFile(known, []byte(note), 0o600); err != nil {
		_ = s.Close()
		return nil, &UsableError{Path: known, Msg: "cannot be written", Err: reason(err)}
	}
	if fresh {
		syncDir(dir)
		syncDir(filepath.Dir(dir))
	}
	return s, nil
}

func (s *Store) open(fresh bool) (err error) {
	if !fresh {
		if err := s.look(); err != nil {
			return err
		}
	}
	opened := guard(func() error {
		s.db, err = bbolt.Open(s.path, 0o600, &bbolt.Options{Timeout: lockPatience, FreelistType: bbolt.FreelistMapType})
		return err
	})
	switch {
	case errors.Is(opened, bolterrors.ErrTimeout):
		return &LockedError{Path: s.path}
	case opened != nil:
		return &UsableError{Path: s.path, Msg: "cannot be opened", Err: reason(opened)}
	}
	s.file, _ = os.Stat(s.path)
	if err := guard(s.greet); err != nil {
		var broken *brokenError
		if !errors.As(err, &broken) {
			_ = s.db.Close()
		}
		s.db = nil
		var usable *UsableError
		if errors.As(err, &usable) {
			return err
		}
		return &UsableError{Path: s.path, Msg: "cannot be used", Err: reason(err)}
	}
	return nil
}

// look reads a file before it is opened: bbolt believes what stands in it.
func (s *Store) look() error {
	info, err := os.Stat(s.path)
	switch {
	case locked(s.path): // what stands in it may change while it is read
		return &LockedError{Path: s.path}
	case err != nil:
		return &UsableError{Path: s.path, Msg: "cannot be read", Err: reason(err)}
	case !info.Mode().IsRegular():
		return &UsableError{Path: s.path, Msg: "is no file"}
	case info.Size() > mostOctets:
		return &UsableError{Path: s.path, Msg: fmt.Sprintf("has %d octets, more than any state: move it away to begin a new one", info.Size())}
	case info.Size() == 0:
		return nil // the program was ended before it was written
	default:
	}
	b, err := os.ReadFile(s.path)
	if err != nil {
		return &UsableError{Path: s.path, Msg: "cannot be read", Err: reason(err)}
	}
	if err := verify(b); err != nil {
		return &UsableError{Path: s.path, Msg: "is no state, or a damaged one: move it away to begin a new one", Err: err}
	}
	return nil
}

// greet sees whether the file is one of ours, and makes a new one ours.
func (s *Store) greet() error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(metaBucket))
		if meta == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return &UsableError{Path: s.path, Msg: "belongs to another program"}
			}
			meta, err := tx.CreateBucket([]byte(metaBucket))
			if err != nil {
				return err
			}
			return meta.Put([]byte(formatKey), seal(fmt.Append(nil, format)))
		}
		have, err := unseal(meta.Get([]byte(formatKey)))
		switch {
		case err != nil:
			return &UsableError{Path: s.path, Msg: "belongs to another program, or is damaged"}
		case string(have) != fmt.Sprint(format):
			return &UsableError{Path: s.path, Msg: fmt.Sprintf("was written by another version of the program (format %s, this one has %d): use that version, or move the file away", have, format)}
		default:
			return nil
		}
	})
}

// Lost reports whether there was a state of this configuration before, and its
// file is gone.
func (s *Store) Lost() bool { return s.lost }

// Path is the name of the file; empty for one in memory.
func (s *Store) Path() string { return s.path }

// Load decodes the value of a key into v, with encoding/json. found is false if
// there is none, and beside an error: a value that cannot be read is damaged.
func (s *Store) Load(bucket, key string, v any) (found bool, err error) {
	s.mu.Lock()
	db, err := s.usable()
	b, found := s.memory[bucket+"\x00"+key]
	s.mu.Unlock()
	if err == nil && db != nil {
		b, found, err = read(db, bucket, key)
	}
	if err != nil || !found {
		return false, s.spoil(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("%s: %s cannot be read: %w", bucket, key, err)
	}
	return true, nil
}

func read(db *bbolt.DB, bucket, key string) (b []byte, found bool, err error) {
	err = guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			in := tx.Bucket([]byte(bucket))
			if in == nil {
				return nil
			}
			value := in.Get([]byte(key))
			if value == nil {
				return nil
			}
			open, err := unseal(value)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", bucket, key, err)
			}
			b, found = append([]byte(nil), open...), true
			return nil
		})
	})
	return b, found, err
}

// Save keeps a value, encoded with encoding/json. It is durable when Save
// returns nil; after an error the value of before is still there.
func (s *Store) Save(bucket, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.write([]entry{{bucket, key, seal(b)}})
}

// Keep removes the keys of a bucket that are not to be kept.
func (s *Store) Keep(bucket string, keep func(key string) bool) error {
	var gone []entry
	s.mu.Lock()
	db, err := s.usable()
	s.mu.Unlock()
	if err != nil || db == nil {
		return err // what is in memory was just learned
	}
	err = guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			in := tx.Bucket([]byte(bucket))
			if in == nil {
				return nil
			}
			return in.ForEach(func(k, _ []byte) error {
				if !keep(string(k)) {
					gone = append(gone, entry{bucket: bucket, key: string(k)})
				}
				return nil
			})
		})
	})
	if err != nil || len(gone) == 0 {
		return s.spoil(err)
	}
	return s.write(gone)
}

// write commits entries, together with those of other goroutines that come
// while a commit is under way.
func (s *Store) write(entries []entry) error {
	s.mu.Lock()
	db, err := s.usable()
	if err != nil {
		s.mu.Unlock()
		return err
	}
	if db == nil {
		for _, e := range entries {
			b, _ := unseal(e.value)
			s.memory[e.bucket+"\x00"+e.key] = b
		}
		s.mu.Unlock()
		return nil
	}
	b := s.batch
	leads := b == nil
	if leads {
		b = &batch{done: make(chan struct{})}
		s.batch = b
	}
	b.entries = append(b.entries, entries...)
	s.mu.Unlock()
	if !leads {
		<-b.done
		return b.err
	}
	s.commits.Lock()
	defer s.commits.Unlock()
	s.mu.Lock()
	s.batch = nil
	db, b.err = s.usable()
	s.mu.Unlock()
	if b.err == nil {
		b.err = s.spoil(commit(db, b.entries))
	}
	close(b.done)
	return b.err
}

func commit(db *bbolt.DB, entries []entry) error {
	return guard(func() error {
		return db.Update(func(tx *bbolt.Tx) error {
			for _, e := range entries {
				in, err := tx.CreateBucketIfNotExists([]byte(e.bucket))
				if err == nil && e.value == nil {
					err = in.Delete([]byte(e.key))
				} else if err == nil {
					err = in.Put([]byte(e.key), e.value)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// Close closes the file. What was saved is in it. A second call does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	unused := s.giveBack() // waits for counters, which may wait for a commit
	s.commits.Lock()
	defer s.commits.Unlock()
	s.mu.Lock()
	db := s.db
	s.db = nil
	s.mu.Unlock()
	if db == nil {
		return nil
	}
	if len(unused) > 0 {
		var broken *brokenError
		if err := commit(db, unused); errors.As(err, &broken) {
			return err
		} // else what could not be given back is wasted, no more
	}
	return db.Close()
}

// seal puts a check sum in front of a value.
func seal(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)), b...)
}

var errDamaged = errors.New("the value is damaged")

func unseal(b []byte) ([]byte, error) {
	if len(b) < 4 || binary.BigEndian.Uint32(b) != crc32.ChecksumIEEE(b[4:]) {
		return nil, errDamaged
	}
	return b[4:], nil
}

// A brokenError is a panic over a file that is damaged or was cut off. bbolt
// cannot be used after it, not even closed.
type brokenError struct{ cause any }

func (e *brokenError) Error() string { return fmt.Sprintf("the file is damaged: %v", e.cause) }

// guard turns such a panic into an error.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = &brokenError{r}
		}
	}()
	return f()
}

// usable returns the file to work with; nil without an error: in memory.
func (s *Store) usable() (*bbolt.DB, error) {
	switch {
	case s.closed:
		return nil, ErrClosed
	case s.broken != nil:
		return nil, s.broken
	default:
		return s.db, nil
	}
}

// spoil takes note of a file that broke while it was open.
func (s *Store) spoil(err error) error {
	var broken *brokenError
	if errors.As(err, &broken) {
		s.mu.Lock()
		if s.broken == nil {
			s.db, s.broken = nil, &UsableError{Path: s.path, Msg: "broke while it was in use: restart the program", Err: err}
		}
		err = s.broken
		s.mu.Unlock()
	}
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// reason is an error of the operating system without the name of the file,
// which is said already.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
