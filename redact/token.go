package redact

import "strings"

// forms are the beginnings of tokens that are well known.
var forms = []string{
	"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "sk-ant-", "sk_live_",
	"sk_test_", "rk_live_", "AIza", "ya29.", "hvs.", "hf_", "npm_", "pypi-AgEI", "dop_v1_", "SG.",
	"sk-proj-", "sk-svcacct-", "sk-admin-", "dckr_pat_", "dckr_oat_", "xapp-", "shpat_", "glrt-", "gldt-",
}

// leastToken is how many characters follow, at least.
const leastToken = 16

// tokens returns what has no spaces without the tokens in it.
func tokens(s string) string {
	if len(s) < 3+leastToken {
		return s
	}
	var e edit
	for i := 0; i < len(s); {
		end := nameEnd(s, i)
		if isToken(s[i:end]) {
			e.mark(s, i, end)
		}
		i = end + 1
	}
	return e.text(s)
}

func isTokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

func isToken(s string) bool {
	if len(s) < 3+leastToken {
		return false
	}
	switch s[0] {
	case 'g', 'x', 's', 'r', 'A', 'y', 'h', 'n', 'p', 'd', 'S':
	case 'e': // a JSON Web Token is two objects and a signature
		return strings.HasPrefix(s, "eyJ") && strings.Contains(s, ".eyJ")
	default:
		return false
	}
	for _, f := range forms {
		if rest, ok := strings.CutPrefix(s, f); ok {
			return len(rest) >= leastToken && strings.ContainsAny(rest, "0123456789") ||
				len(rest) >= 2*leastToken && !strings.ContainsAny(rest, "-_.")
		}
	}
	return false
}
