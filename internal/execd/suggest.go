package execd

import "strings"

// Suggest returns the one of names that key was probably meant to be, or "".
func Suggest(key string, names []string) string {
	plain := plainKey(key)
	best, distance := "", len(plain)/3+1
	for _, name := range names {
		if plainKey(name) == plain {
			return name
		}
		if n := editDistance(plain, plainKey(name)); n < distance {
			best, distance = name, n
		}
	}
	return best
}

// plainKey folds case and what people put between two words.
func plainKey(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that make b of a. Long keys are not worth the time.
func editDistance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	older, old, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, old, row = old, row, older
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
