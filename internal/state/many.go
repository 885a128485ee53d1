package state

import "encoding/json"

// SaveAll is Save for many keys of a bucket, in one transaction: each costs the
// disk as much as thousands of keys.
func (s *Store) SaveAll(bucket string, values map[string]any) error {
	entries := make([]entry, 0, len(values))
	for key, v := range values {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		entries = append(entries, entry{bucket, key, seal(b)})
	}
	if len(entries) == 0 {
		return nil
	}
	return s.write(entries)
}
