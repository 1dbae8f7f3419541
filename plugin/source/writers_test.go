package source

import (
	"strings"
	"testing"
)

func TestWriters(t *testing.T) {
	const (
		installer = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
		alice     = "S-1-5-21-1-2-3-1001"
	)
	for _, test := range []struct {
		name, sddl string
		folder     bool
		want       string
	}{
		{"a folder of Program Files", "O:BAG:SYD:AI(A;ID;FA;;;" + installer + ")(A;CIIOID;GA;;;" + installer + ")(A;ID;FA;;;SY)(A;OICIIOID;GA;;;SY)(A;ID;FA;;;BA)(A;OICIIOID;GA;;;BA)" +
			"(A;ID;0x1200a9;;;BU)(A;OICIIOID;GXGR;;;BU)(A;OICIIOID;GA;;;CO)(A;ID;0x1200a9;;;AC)", true, ""},
		{"a file in it", "O:BAG:SYD:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;0x1200a9;;;BU)", false, ""},
		{"a folder that an administrator made in ProgramData", "O:BAG:SYD:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIIOID;GA;;;CO)(A;OICIID;0x1200a9;;;BU)(A;CIID;DCLCRPCR;;;BU)", true, "BU"},
		{"a folder that a user made there", "O:" + alice + "G:" + alice + "D:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;ID;FA;;;" + alice + ")(A;OICIIOID;GA;;;CO)", true, alice},
		{"a file that its user owns and others read", "O:" + alice + "G:SYD:(A;;FR;;;" + alice + ")(A;;FA;;;BA)", false, alice},
		{"a file on another drive", "O:BAG:SYD:AI(A;ID;FA;;;BA)(A;ID;FA;;;SY)(A;ID;0x1301bf;;;AU)(A;ID;0x1200a9;;;BU)", false, "AU"},
		{"who may give himself rights", "O:SYG:SYD:(A;;FRWD;;;IU)(A;;RCWO;;;NU)(A;;FRSD;;;BU)", false, "IU NU BU"},
		{"who may add folders only", "O:SYG:SYD:(A;;LC;;;BU)", true, ""},
		{"who may append to a file", "O:SYG:SYD:(A;;LC;;;BU)", false, "BU"},
		{"who may remove what a folder holds", "O:SYG:SYD:(A;;DT;;;BU)", true, "BU"},
		{"who is denied, and who is watched", "O:SYG:SYD:(D;;FA;;;BU)S:(AU;SAFA;FA;;;WD)", false, ""},
		{"a condition", `O:SYG:SYD:(XA;;FA;;;AU;(@User.Title=="x"))`, false, "AU"},
		{"no list", "O:SYG:SY", false, "WD"},
		{"no list, in words", "O:SYG:SYD:NO_ACCESS_CONTROL", false, "WD"},
		{"an empty list", "O:SYG:SYD:P", false, ""},
		{"this process", "O:S-1-5-19G:SYD:(A;;FA;;;S-1-5-19)", false, ""},
		{"one of many rights", "O:SYG:SYD:(A;;GW;;;LS)(A;;0x40000000;;;NS)", false, "LS NS"},
		{"nonsense", "D:(A;", false, ""},
	} {
		if got := strings.Join(writers(test.sddl, test.folder, "S-1-5-19"), " "); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
