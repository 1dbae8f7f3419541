package source

import "golang.org/x/sys/windows"

// writersOf names who may change a file, or what a folder holds, beside administrators and
// this process.
func writersOf(name string, folder bool) []string {
	sd, err := windows.GetNamedSecurityInfo(name, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return nil // whoever reads it next says why
	}
	self := ""
	if user, err := windows.GetCurrentProcessToken().GetTokenUser(); err == nil {
		self = user.User.Sid.String()
	}
	who := writers(sd.String(), folder, self)
	for i, text := range who {
		if sid, err := windows.StringToSid(text); err == nil {
			if account, domain, _, err := sid.LookupAccount(""); err == nil {
				who[i] = domain + `\` + account
			}
		}
	}
	return who
}
