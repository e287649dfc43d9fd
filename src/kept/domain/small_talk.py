"""What people and assistants say without saying anything: greetings, thanks, acknowledgements, offers, announcements, guesses.

Three rules do most of the work: a sentence without a word beyond function words and small talk says nothing; a set phrase says nothing;
and of a language model, a short sentence without anything specific says nothing. What no rule knows is no small talk, for a lost fact is
worse than a kept greeting. Words are known in English, German, Spanish, French, Italian and Portuguese, set phrases also in
Chinese, Japanese and Korean.
"""

from __future__ import annotations

import re
from typing import Final

from kept.domain.text import STOP_WORDS

__all__ = ["content_words", "is_announcement", "is_guess", "is_offer", "is_small_talk", "is_specific"]

_SMALL_TALK: Final = 18
"""Words up to which an announcement (`Let me check …`) is taken for small talk; a longer one says something as well."""
_VOCATIVE: Final = 5
"""Words up to which a greeting may hold a name (`Hey Mel, good morning!`)."""
_SAYS_MORE: Final = 4
"""Content words from which a set phrase says something as well (`Let me know if the nightly export to the warehouse fails again`)."""
_SHORT: Final = 6
"""Words below which every language is tried: the few that two languages share may be all there are."""
_MOST_UNKNOWN: Final = 0.7
"""Share of words beyond the English function words in a longer English sentence; in another language nearly all are."""
_UNSPACED_PER_WORD: Final = 2
"""Characters of unspaced scripts that count as one word."""
_UNSPACED_NAME: Final = 4
"""Characters up to which a part beside a set phrase of an unspaced script may be a name."""


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


# --- words ---

_FILLERS: Final = _words(
    """
    hi hello hey hiya howdy yo greetings thanks thank thx ty ta cheers ok okay okey k kk great good nice awesome amazing wow cool sure sounds
    sound perfect fine yes yeah yep yup ya nope nah lol lmao haha hahaha hehe hmm hm mm mhm uh um oh ah aha ooh aw aww awww oops ugh yay
    welcome please pls sorry bye goodbye cya night gn morning afternoon evening luck congrats congratulations well really much glad happy love
    see hear heard know going goes go gotcha got get let lets let's right makes make sense absolutely definitely certainly indeed exactly totally course
    problem prob worries worry fun interesting fantastic wonderful excellent brilliant incredible terrific superb lovely sweet cute beautiful
    gorgeous agreed true looks look looking forward best guys guy man dude mate buddy pal friend folks everyone there soon later catch talk
    chat care take anything else help helps helping helped helpful question hope hopefully enjoy appreciate appreciated bit lot lots ton
    kind long time ages back again today day weekend week rest doing day's it's that's there's what's how's i'm you're we're they're he's
    she's i'll you'll we'll i've you've we've i'd you'd we'd can't don't doesn't didn't won't isn't wasn't aren't couldn't wouldn't
    haven't hasn't shouldn't impressive inspiring exciting excited proud proceed ahead continue start started ready wait waiting pleasure pleased
    remember wonder together works ship nothing something everything thing things stuff way feel free sec second moment minute want need like think guess mean say said saying tell told
    too also still actually maybe perhaps probably anyway alright quite pretty super alrighty new up down
    understood noted acknowledged affirmative roger done yw np omg btw fyi idk imo tbh nvm
    fingers crossed hooray hurray woohoo yikes ouch phew whew damn gosh ha heh seriously finally naturally obviously honestly of
    """
)
"""Words of English small talk. Together with the stop words they say nothing."""
_ENGLISH: Final = _FILLERS | STOP_WORDS
_INTERNATIONAL: Final = _words(
    "ok okay haha hahaha jaja jajaja lol wow hmm mmm hey hi hello hallo ciao super cool thx привет спасибо"
)
_OTHERS: Final = tuple(
    _words(words) | _INTERNATIONAL
    for words in (
        # German
        """
        ich du er sie es wir ihr mich dich sich uns euch mir dir ihm ihnen mein meine meinen dein deine deinen sein seine unser ihre ihren ihrer der
        die das den dem des ein eine einen einem einer eines und oder aber auch nur noch schon mal denn doch ja nein nicht kein keine keinen
        ist sind war waren bin bist hat habe haben hatte wird werden wurde kann kannst können könnte könnten soll sollen will möchte muss darf
        mit von vom zu zum zur im in am an auf aus bei für nach um über unter vor durch gegen ohne bis seit wie was wer wo wann warum wenn
        als dass ob so sehr dann da hier dort jetzt heute nun also alles etwas nichts man immer nie wieder viel mehr
        moin servus guten gute guter morgen tag abend nacht danke dank vielen herzlichen bitte gern gerne geschehen gut toll klasse prima perfekt
        wunderbar spannend großartig freut freue klar verstanden verstehe notiert ordnung stimmt genau natürlich selbstverständlich später
        bald nachher tschüss tschüs hihi ach oh je ah aha achso problem schade schön schöne schöner schönes weiter los spaß erfolg
        glück glückwunsch hilfe helfen feierabend wochenende echt wirklich lustig idee gedanke klingt merke mache machen schaue lass fragen
        melde einfach bescheid weiß glaube arme armer
        """,
        # Spanish
        """
        yo tú él ella nosotros ellos ellas usted ustedes me te se nos os le les lo la los las mi mis tu tus su sus un una unos unas el y e o pero
        que qué quien quién cuando cuándo como cómo donde dónde por porque para con sin de del a al en entre sobre desde hasta hacia no sí si ya
        muy más menos mucho mucha muchos muchas poco todo toda todos todas nada algo eso esto este esta ese esa es son soy eres está estás están
        estoy era fue ser estar hay he has ha han había tengo tienes tiene va vas voy vamos puedo puedes puede así también entonces pues aquí allí ahora
        hola buenas buenos buena bueno bien mal días tardes noches tal gracias favor vale claro perfecto genial excelente estupendo entendido
        hecho listo luego mañana pronto adiós chau chao beso abrazo saludos ja pena lástima guay igualmente idea ayudar ayuda acuerdo haré
        gracioso oye mm déjame siempre gusto dudes kaixo agur
        """,
        # French
        """
        je tu il elle on nous vous ils elles me te se le la les l un une des du de d mon ma mes ton ta tes son sa ses notre votre leur leurs et ou mais
        que qu qui quoi quand comment où pourquoi car pour par avec sans dans en sur sous vers chez entre depuis à au aux ce cet cette ces ça cela
        c'est c j'ai j n'est ne pas plus moins très trop bien tout tous toute toutes rien aussi alors donc déjà encore ici là si oui non ouais est
        sont suis es était être avoir ai as a avons ont avait va vais fait faire peut peux puis dois doit y quel quelle quels quelles d'accord
        bonjour bonsoir salut coucou bon bonne bons journée soirée nuit matin week-end appétit merci beaucoup mille aide plaisir prie parfait
        génial excellent noté compris entendu voilà bientôt tard demain revoir félicitations idée dommage oh ah comprends possible hésite hésitez
        n'hésite n'hésitez s'il
        """,
        # Italian
        """
        io tu lui lei noi voi loro mi ti si ci vi lo la li le il i gli un una uno e o ma che chi cosa come quando dove perché per con senza di del
        della dei delle a al alla in nel nella su da dal non sì no è sono sei era ho hai ha hanno va bene molto più tutto niente anche allora qui
        buongiorno buonasera buonanotte grazie mille prego perfetto ottimo capito certo presto domani arrivederci stai figurati piacere aiuto posso
        """,
        # Portuguese
        """
        eu tu ele ela nós vocês você eles elas me te se nos lhe o a os as um uma uns umas e ou mas que quem como quando onde por porque para com sem de do da
        dos das em no na nos nas ao à não sim é são sou está estou era foi tem tenho vai vou muito mais tudo nada também então aqui já
        olá oi bom boa dia tarde noite obrigado obrigada perfeito ótimo entendi claro até logo amanhã tchau beleza prazer ajuda ajudar posso
        """,
    )
)
"""Function words and words of small talk of other languages."""
_NUMBER_WORDS: Final = _words(
    "two three four five six seven eight nine ten eleven twelve thirteen fifteen twenty thirty forty fifty sixty hundred thousand dozen "
    "null eins zwei drei vier fünf zehn uno dos tres cuatro cinco diez deux trois quatre cinq dix"
)
_GREETINGS: Final = _words(
    """
    hi hello hey hiya howdy thanks thank thx wow bye goodbye congrats congratulations welcome cheers morning good oh
    aww cool awesome great nice ok okay sure hallo guten gute moin hola buenas buenos bonjour bonsoir salut merci danke gracias ciao
    """
)
"""Words after which a name is only an address."""
_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019.-][^\W_]+)*")
_ASCII_WORD: Final = re.compile(r"[a-z0-9]+(?:['.-][a-z0-9]+)*")
_UNSPACED: Final = (
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]"  # compiled on first use: large sets take milliseconds
)


def content_words(text: str) -> tuple[list[str], int]:
    """The lower-cased words of a sentence, and how many of them are neither function words nor small talk.

    The language is the one that knows most of its words. Of scripts without spaces, two characters count as a word.
    """
    lower = text.lower()
    words = _ASCII_WORD.findall(lower) if text.isascii() else [w.replace("\u2019", "'") for w in _WORD.findall(lower)]
    count = len([word for word in words if word not in _ENGLISH])
    if count and not text.isascii() and (unspaced := len(re.findall(_UNSPACED, text))):
        return words, count + unspaced // _UNSPACED_PER_WORD
    if count == 0 or (len(words) >= _SHORT and count <= _MOST_UNKNOWN * len(words)):
        return words, count
    return words, min(count, *(len([word for word in words if word not in known]) for known in _OTHERS))


# --- set phrases ---

_LEAD: Final = re.compile(
    r"(?:(?:sure(?: thing)?|ok(?:ay)?|alright|great|perfect|awesome|cool|nice|good|wow|oh|ah|aww?|ha(?:ha)*|phew|lol|sorry"
    r"|well|so|yes|yeah|yep|no problem|no worries|of course|certainly|absolutely|definitely|thanks?(?: you)?(?=[,.!:;\u2014])|fair(?: enough| point)?"
    r"|got it|understood|noted|right|hmm+|hey|hi|hello|now|first|next|done)\b[\s,.!:;\u2014-]{1,4}){1,4}",
    re.IGNORECASE,
)
_ALWAYS_TALK: Final = (
    r"(?i)(?:please )?(?:feel free to|one moment"
    r"|if you .{0,90}\b(?:feel free|don't hesitate|just ask|i'm here)\b"
    r"|(?:i'm|i am|i'll be|i will be|we're|we are) (?:always |right )?(?:here|ready)\b(?: (?:to (?:help|listen|assist|support|talk)|for you|if you|when(?:ever)? you)\b|\W*$)"
    r"|(?:please )?(?:don't|do not) hesitate|is there anything else"
    r"|(?:do|did) you (?:have|need) (?:any(?:thing)? )?(?:other|further|more|else)|anything else (?:you"
    r"|i)|if you (?:have|need) any (?:other|further|more|specific|questions|help)"
    r"|(?:i )?hope (?:this|that|it|these) helps?|(?:i'm |i am )?(?:happy|glad|here) to (?:help|listen"
    r"|assist)"
    r"|(?:it's |it is |so )?(?:great|good|nice|lovely|wonderful) to (?:hear|see|meet|know|chat|talk)|glad (?:to hear|you|i could|it)|happy to hear"
    r"|(?:see|talk to|speak to|catch) (?:you|ya|u)\b(?! (?:have|are|can|need|should))|would you like (?:me to|help|more|to know)|(?:do you )?want me to|shall i\b|should i (?:go ahead|proceed|continue)|(?:how|what) (?:can|may) i\b"
    # German, Spanish, French
    r"|(?:wie|womit|was) kann ich|(?:wenn|falls) (?:du|sie|ihr) .{0,20}fragen|[¿¡]?(?:en qué|cómo|qué) (?:te |le |os )?puedo|no dude|(?:que|comment) puis-je|n'hésit)"
)
_COURTESY: Final = (
    r"(?i)(?:(?:just |please )?let me know|thank(?:s| you)(?: so much| very much| a lot| again)? for|(?:my |our |sincere )*apologi[esz]+"
    r"|i (?:do )?(?:apologi[sz]e|appreciate (?:you|your|the)))\b"
)
"""Says nothing, unless much follows."""
_SHORT_TALK: Final = (
    r"(?i)(?:let me (?:just |quickly |first |now |also |go ahead and )?(?:look|check|see|take"
    r"|think|find|dig|read|have|start|begin|run|search|investigate|examine|explore|try|pull|open"
    r"|verify|review|grab|explain|walk|get|do|go|ask)"
    r"|i(?:'ll| will|'m going to| am going to) (?:just |quickly |first |now |go ahead and )?(?:look"
    r"|check|take a (?:look|closer)|get back|let you know|keep you|do that|do it|try (?:that"
    r"|it)|think about it|give it|see what|dig into|investigate|be right)"
    r"|(?:that|this|it)(?:'s| is| was| sounds| looks| seems)(?: like)?(?: so| really| very| just"
    r"| a| an| such a| absolutely| pretty| quite| truly)* (?:great|good|nice|awesome|amazing|sad|bad|hard|tough|frustrating|terrible"
    r"|cool|fine|perfect|wonderful|lovely|fantastic|excellent|interesting|fun|funny|beautiful|incredible"
    r"|inspiring|impressive|sweet|terrific|exciting)(?: (?:idea|question|point|plan|news|job"
    r"|work|start|choice|stuff|goal|to hear|to me))?\W*$"
    r"|(?:great|good|nice|excellent|awesome|fantastic|amazing) (?:question|idea|point|job|work|news|to hear|choice|catch|call|stuff|start)\W*$"
    r"|how (?:wonderful|exciting|lovely|sweet|nice|cool|fun|awful|sad|terrible|frustrating)\b|what (?:a|an) (?:\w+ )?\w+\W*$"
    r"|(?:i'm|i am|we're|we are) (?:so |very |really |truly |just )*(?:sorry|glad|happy|proud|pleased|thrilled|delighted|thankful|grateful|excited|honou?red)"
    r"(?: (?:to (?:hear|help|support|assist|see (?:you|that|it|this|how))|for (?:you|your|all|the (?:inconvenience|delay|trouble|confusion|wait))|that (?:you|it|this)|of (?:you|us|him|her|them)|you|it|about (?:it|that))\b.{0,40}$|\W*$)"
    r"|(?:that|this|it) sounds\b.{0,40}$|congrat(?:s|ulations)\b.{0,60}$|best of luck\b|you must (?:have been|be|feel)\b|(?:that|it|this) must (?:have been|feel|be so)\b|sounds (?:like|so|really|very|super|absolutely)\b|(?:i )?bet\b|here's to\b"
    r"|(?:your|the|my) (?:support|friendship|help|encouragement|belief|trust|kindness)\b.{0,40}\bmeans?\b|(?:i'll|i will) (?:definitely |surely |make sure to )?(?:check (?:it|that|them) out"
    r"|keep (?:you|ya|going|pushing|that in mind)|do my best)\b|keep (?:going|pushing|diving|rocking|in touch)\b|take your time\b|woo+\b|yum\b|agreed\W*$"
    r"|(?:you're|you are) (?:(?:absolutely |totally |completely |so |quite )*(?:right|correct|spot on)|a (?:genius|star|legend|hero|lifesaver)|the best|my hero|amazing|awesome)\b|you rock\b|my bad\b|i bet\b|no (?:stress|rush|idea)\b"
    r"|(?:you're|you are|your) welcome|no (?:problem|worries)|(?:have|enjoy) (?:a|an|your|the) (?:great"
    r"|good|nice|lovely|wonderful|fun)?\s?(?:day|one|evening|night|weekend|time|trip|rest|party|lunch)"
    r"|(?:talk|see|speak|chat|catch) (?:to |up |with )?(?:you|ya|u|soon|later)|take care|good luck"
    r"|keep (?:it up|up the|me posted|going)|(?:i )?can't wait|looking forward|(?:i )?(?:totally "
    r"|completely )?(?:agree|understand|see)(?: with you| completely| that)?\W*$"
    r"|how (?:are|have|is|was|'s)\b.{0,20}(?:you|it going|things|life|everything|your (?:day"
    r"|week|weekend))\b|how's (?:it|everything|life|your)|what's (?:up|new|going on)|what (?:about"
    r"|do you think|have you been up)"
    r"|how about (?:you|that)|working on it|on it\b|here (?:you go|it is|we go)|go for it|you got this"
    r"|way to go|thanks?\b.{0,24}\W*$|i (?:really )?(?:appreciate|love) (?:it|that|this|your)\b.{0,20}$"
    r"|long time no|me (?:too|neither)|same here|fair enough|never mind|sounds (?:good|great"
    r"|like a plan|fun|amazing|perfect|lovely|interesting)|makes sense|got it|will do|ship it|let's (?:do it"
    r"|go|get started|see|begin|dive in|get to it|find out))"
)
_OPENERS: Final = _words(
    "please just let feel one my our sincere apologies apologise apologize i'll agreed bet woo woohoo yum sounds do don't did is anything if hope i happy i'm we're glad here thank thanks it's it so great good nice lovely wonderful would want shall should "
    "i'll that that's this you you're your excellent awesome we're we fantastic amazing no have enjoy talk see speak chat catch take keep can't looking totally "
    "completely agree understand how how's what what's working on go way long me my same fair never sounds makes got will let's best congrats congratulations "
    "ship you\u2019re i\u2019m i\u2019ll it\u2019s that\u2019s let\u2019s don\u2019t can\u2019t how\u2019s what\u2019s wie womit was wenn falls en \u00bfen \u00bfc\u00f3mo \u00bfqu\u00e9 no que comment n'h\u00e9site n'h\u00e9sitez"
)
"""First words of the two patterns above, so that other sentences need not be matched against them."""
_LEAD_WORDS: Final = _words(
    """
    sure ok okay alright great perfect awesome cool nice good wow oh ah aw aww ha haha hahaha phew lol sorry well so yes yeah yep no of certainly
    absolutely definitely thank thanks fair got understood noted right hmm hmmm hey hi hello now first next done
    """
)
_LONGEST_OPENER: Final = 14
"""Characters after which, with one more, the longest opener shows whole (`congratulations`)."""
_ADDRESSED_FIRST: Final = re.compile(r"[A-Z\u00c0-\u00de][\w'\u2019-]+(?:[,!.\u2014-]+\s*|$)")
_ADDRESSED_LAST: Final = re.compile(r",\s[A-Z\u00c0-\u00de][\w'\u2019-]+(?=[\W_]*$)")
_SET_PHRASES: Final = (
    # Chinese
    r"(?:你好|您好|早上好|下午好|晚上好|大家好|晚安|再见|拜拜|好的?|好吧|好啊|行|可以|没问题|明白了?|知道了|了解|收到|(?:多谢|谢谢|感谢)(?:你|您|大家)?|不客气|不用谢|不用了?|辛苦了"
    r"|太[好棒]了|真棒|(?:听起来|看起来)?很?不错|恭喜(?:你|您)?|哈+|嗯+|哦+|是的|对|原来如此|加油|我会注意的|我先看看(?:代码)?|(?:已经)?改好了|有什么(?:可以|能)帮.{1,5}|还有什么.{0,8}"
    # Japanese
    r"|こんにちは|こんばんは|おはよう(?:ございます)?|おやすみ(?:なさい)?|ありがとう(?:ございます|ございました)?|どういたしまして|いえいえ|はい|ええ|うん|いいえ|そうです(?:ね|か)?|なるほど(?:ですね)?"
    r"|承知(?:し|いたし)ました|了解(?:です|しました)?|わかりました|かしこまりました|おめでとうございます|(?:それは)?(?:とても)?(?:楽しみ|面白い|素敵|いい|すごい)(?:です)?(?:ね|よ)?"
    r"|は(?:は)+|やあ|じゃあ|(?:じゃあ)?またね?|さようなら|よろしく(?:お願いします)?|お疲れ様(?:です|でした)?|(?:今日は)?どう(?:し|され)ましたか"
    # Korean
    r"|안녕(?:하세요)?|감사합니다|고마워요?|네|알겠습니다|괜찮아요|천만에요)"
)
"""Whole sentences of unspaced scripts, or parts of one between commas."""
_UNSPACED_PARTS: Final = r"[\W_]+"


def is_small_talk(text: str, words: list[str], content: int) -> bool:
    """Whether a sentence is a greeting, thanks, an acknowledgement, an offer or an announcement.

    Args:
        text: The sentence.
        words: As `content_words` gives them; at least one.
        content: How many of them say something.
    """
    if content == 0:
        return True
    body = _without_address(text, words)
    if body[: _LONGEST_OPENER + 1].lower().split(" ", 1)[0].rstrip(",.!?\n") in _OPENERS:
        if re.match(_ALWAYS_TALK, body) or (content < _SAYS_MORE and re.match(_COURTESY, body)):
            return True
        if len(words) <= _SMALL_TALK and re.match(_SHORT_TALK, body):
            return not any(map(str.isdigit, body))
    if body is not text and content_words(body)[1] == 0:
        return True
    if len(words) <= _VOCATIVE and words[0] in _GREETINGS:
        rest = [word for word in _WORD.findall(text)[1:] if content_words(word)[1]]
        return len(rest) <= 2 and all(map(str.istitle, rest))  # noqa: PLR2004 - first and last name
    return not text.isascii() and _is_set_phrase(text)


def _without_address(text: str, words: list[str]) -> str:
    """A sentence without the words that lead into it (`Okay, so`) and the name of who is addressed."""
    lead = _LEAD.match(text) if words[0] in _LEAD_WORDS else None
    body = text[lead.end() :] if lead else text
    if lead and (name := _ADDRESSED_FIRST.match(body)):
        body = body[name.end() :]
    if "," in body and (name := _ADDRESSED_LAST.search(body)):
        body = body[: name.start()]
    return body


def _is_set_phrase(text: str) -> bool:
    """Whether a sentence of an unspaced script is made of set phrases, and perhaps the name of who is addressed."""
    parts = [part for part in re.split(_UNSPACED_PARTS, text) if part]
    others = [part for part in parts if not re.fullmatch(_SET_PHRASES, part)]
    if not parts or not re.search(_UNSPACED, text):
        return False
    return not others or (
        len(others) < len(parts) and all(len(part.removesuffix("さん")) <= _UNSPACED_NAME for part in others)
    )


# --- what says something by its form ---

_SPECIFIC: Final = re.compile(
    r"\d|[`\"\u201c\u201e\u300c\u300e]|[\w)][/_@:.=#][\w(]|[A-Z]{2}|[a-z][A-Z]|[%\u20ac$\u00a3]"
)
"""A number, code, a quotation, an identifier."""
_NAME: Final = re.compile(r"(?<=[\w,;:)] )(?!I\b)[A-Z\u00c0-\u00de]")
"""A capital within a sentence."""
_GERMAN: Final = _words("ich du wir der die das den dem ein eine einen und ist sind nicht mir dir auf zu für mit dann")
"""With these, a capital begins any noun."""


def is_specific(text: str, words: list[str]) -> bool:
    """Whether a sentence names something: a number, a name, code, words of somebody."""
    if _SPECIFIC.search(text) or not _NUMBER_WORDS.isdisjoint(words):
        return True
    return _NAME.search(text) is not None and _GERMAN.isdisjoint(words)


_OFFER: Final = r"(?i)(?:would you like|(?:shall|should) (?:i|we)|do you want|soll ich|möchtest du|möchten sie|[¿¡]?quieres que|veux-tu|voulez-vous)\b"
_INTENTION: Final = (
    r"(?i)(?:then |dann )?(?:(?:i'll|i will|i'm going to|i am going to|let me|let's|allow me)\b|.{0,40}\bit is\W*$"
    r"|(?:ich (?:werde|schaue|sehe|prüfe|lese|füge|lasse)|erstelle ich|voy a|déjame|je (?:vais|vérifie|regarde))\b)"
)
_UNDER_WAY: Final = (
    r"(?i)(?:running|fetching|checking|looking|reading|writing|implementing|installing|adding|deleting|removing|changing|searching|starting|opening|updating"
    r"|fixing|editing|creating|trying|building|testing|applying|deploying|preparing|generating|reviewing|pulling|gathering)\b"
)
_LONGEST_INTENTION: Final = 14
"""Words up to which an intention says nothing else: a choice."""
_LONGEST_UNDER_WAY: Final = 5
"""Words up to which this says nothing else: a choice; `Running the tests on two cores takes an hour` says more."""
_PINNED: Final = re.compile(r"\d|[`\"\u201c\u201e]|[\w)][/_@:=#][\w(]|\w\.\w")
"""A number, code, an identifier: what is decided while it is announced."""
_GUESS: Final = (
    r"(?i)(?:perhaps|maybe|or maybe|or perhaps|i (?:assume|guess|suppose|imagine|suspect)|it sounds like|it seems (?:like |that |as if )?(?:you|your|so))\b"
    r"|you (?:might|must|may|probably|seem)\b(?! want| like| also| consider| help| need to| wish)"
    r"|(?:it|that|this) (?:could|might|may) (?:also |well |just )?be\b|(?:it's|it is|that's) (?:probably|perhaps|maybe|likely|possibly)\b"
)


def is_announcement(text: str, words: list[str]) -> bool:
    """Whether an assistant's sentence only says what comes next, or repeats what was agreed; what was done it says afterwards."""
    body = _without_lead(text)
    if len(words) <= _LONGEST_UNDER_WAY and re.match(_UNDER_WAY, body):
        return _PINNED.search(body) is None
    if len(words) > _LONGEST_INTENTION or not re.match(_INTENTION, body):
        return False
    return _PINNED.search(body) is None or body[:6].lower() == "let me"


def is_offer(text: str) -> bool:
    """Whether an assistant's question only offers to do something."""
    return re.match(_OFFER, _without_lead(text)) is not None


def is_guess(text: str) -> bool:
    """Whether an assistant's sentence supposes something of the user or of a cause that nobody said."""
    return re.match(_GUESS, _without_lead(text)) is not None


def _without_lead(text: str) -> str:
    lead = _LEAD.match(text)
    return text[lead.end() :] if lead else text
