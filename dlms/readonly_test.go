package dlms_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReader: nothing in the library or the program makes a SET, a WRITE or an
// ACCESS, and an ACTION is made at one place, for reply_to_HLS_authentication.
func TestReader(t *testing.T) {
	var actions, files []string
	for _, root := range []string{".", "../plugins", "../internal", "../cmd"} {
		require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path) //nolint:gosec // the tree is our own
			require.NoError(t, err)
			file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
			require.NoError(t, err)
			files = append(files, path)
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CompositeLit:
					if typeName(n.Type) == "ActionRequest" && len(n.Elts) > 0 && !strings.HasPrefix(filepath.ToSlash(path), "xdlms/") { // which reads them
						actions = append(actions, filepath.ToSlash(path))
					}
				case *ast.FuncDecl:
					if n.Recv != nil && n.Name.Name == "Append" {
						name := strings.ToLower(typeName(n.Recv.List[0].Type))
						for _, verb := range []string{"setrequest", "writerequest", "accessrequest"} {
							require.NotContains(t, name, verb, path)
						}
					}
				}
				return true
			})
			return nil
		}))
	}
	require.Greater(t, len(files), 100)
	require.Len(t, actions, 1, "%v", actions)
	require.True(t, strings.HasSuffix(actions[0], ".go") && !strings.Contains(actions[0], "/"), "in package dlms: %v", actions)
}

// typeName is the last part of a type's name.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.StarExpr:
		return typeName(e.X)
	default:
		return ""
	}
}
