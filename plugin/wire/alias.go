package wire

import "bytes"

// maxAliases is how many aliases of a reply are followed; resolvers do not go as far.
const maxAliases = 32

// typeANY asks for records of all types (RFC 1035, section 3.2.3).
const typeANY = 255

// Aliases is where the answer section of a reply leads from the name that was asked for.
type Aliases struct {
	Answered bool   // to a record of the type asked for
	Followed int    // how many aliases were followed; 0: the name is none
	Endless  bool   // they lead back, or are too many to be followed
	End      []byte // the name that they lead to, whole and in lower case
}

// FollowAliases follows the CNAME and DNAME records in a reply's answer section (RFC 1034,
// section 4.3.2; RFC 6672, section 3.2), which may be in any order. It appends to buf the
// name that they lead to, and calls each, unless that is nil, with the place in the section
// of each CNAME that it follows, and of each DNAME that stands without one. A reply without
// a question answers any.
func FollowAliases(reply, buf []byte, each func(place int)) (a Aliases) {
	question := Question(reply)
	if question == nil {
		a.Answered = true
		return a
	}
	var owners, targets [maxName]byte
	asked, begin := QuestionType(question), len(buf)
	name := AppendName(buf, question)
	for moved := true; moved; {
		moved = false
		var target []byte // of a DNAME that is followed unless there is a CNAME
		place, dname, stays := -1, 0, 0
		Records(reply, func(r Record) bool {
			if place++; r.Section != Answer {
				return false
			}
			typed := r.Type == asked || asked == typeANY
			if !typed && (r.Type != typeCNAME && r.Type != typeDNAME || len(r.Data) == 0) {
				return true
			}
			owner := AppendNameAt(owners[:0], reply, r.Owner)
			same := bytes.Equal(owner, name[begin:])
			above := !same && r.Type == typeDNAME && Below(name[begin:], owner)
			switch {
			case typed && (same || above):
				a.Answered = true
			case same && r.Type == typeCNAME:
				next := AppendNameAt(targets[:0], reply, r.DataAt)
				if next == nil { // and it cannot be unpacked either
					return true
				}
				if a.Followed++; a.Followed > maxAliases {
					a.Endless = true
					return false
				}
				name, moved, target = append(name[:begin], next...), true, nil
				if each != nil {
					each(place)
				}
			case above && target == nil:
				target, dname, stays = AppendNameAt(targets[:0], reply, r.DataAt), place, len(name)-len(owner)
			}
			return !a.Answered && !a.Endless
		})
		if a.Answered || a.Endless {
			break
		}
		if !moved && target != nil {
			if a.Endless = stays-begin+len(target) > maxName; a.Endless { // RFC 6672, section 2.2
				break
			}
			if a.Followed++; a.Followed > maxAliases {
				a.Endless = true
				break
			}
			name, moved = append(name[:stays], target...), true
			if each != nil {
				each(dname)
			}
		}
	}
	a.End = name[begin:]
	return a
}

// AnswersAtOnce reports whether the first record of a reply is of the name and of the type
// that it was asked for. It is quicker than FollowAliases, and true of most answers.
func AnswersAtOnce(reply []byte) bool {
	question := Question(reply)
	if question == nil || Header(reply).Questions() != 1 {
		return false
	}
	const pointer = 0xc0 // to the question's name
	name, qtype := question[:len(question)-4], question[len(question)-4:]
	switch first := reply[HeaderSize+len(question):]; {
	case len(first) >= 4 && first[0] == pointer:
		return first[1] == HeaderSize && first[2] == qtype[0] && first[3] == qtype[1]
	case len(first) >= len(name)+2:
		return bytes.Equal(first[:len(name)], name) && first[len(name)] == qtype[0] && first[len(name)+1] == qtype[1]
	}
	return false
}

// Answers reports whether the answer section of a reply leads to a record of the type that
// it was asked for.
func Answers(reply []byte) bool {
	if len(reply) < HeaderSize || Header(reply).Answers() == 0 {
		return false
	}
	if AnswersAtOnce(reply) {
		return true
	}
	var buf [maxName]byte
	return FollowAliases(reply, buf[:0], nil).Answered
}
