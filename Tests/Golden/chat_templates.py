"""Writes what transformers makes of conversations and of small pieces of Jinja.

    python3 Tests/Golden/chat_templates.py        (needs: transformers==5.23.0, jinja2==3.1.6)

In chat-templates/ are the templates that models were published with, under their models'
licences, except generation.jinja. rendered.json holds what transformers makes of every conversation with every
template, snippets.json what Jinja, set up as transformers does, makes of single constructs.
"""

import json
import logging
import os

from transformers.utils.chat_template_utils import _compile_jinja_template, render_jinja_template

logging.disable(logging.WARNING)
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chat-templates")
TOKENS = {
    "smollm2": {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"},
    "llama3.1": {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"},
    "qwen2.5": {"eos_token": "<|im_end|>"},
    "qwen3": {"eos_token": "<|im_end|>"},
    "mistral-nemo": {"bos_token": "<s>", "eos_token": "</s>"},
    "phi3.5": {"bos_token": "<s>", "eos_token": "<|endoftext|>"},
    "gemma2": {"bos_token": "<bos>", "eos_token": "<eos>"},
    "generation": {"eos_token": "<|im_end|>"},
}


def message(role, content, **more):
    return {"role": role, "content": content, **more}


def system(text="Be brief."):
    return message("system", text)


def user(text="What is 2 + 2?"):
    return message("user", text)


def answer(text="It is 4.", **more):
    return message("assistant", text, **more)


def call(name, identifier="abcdefghi", **arguments):
    function = {"name": name, "arguments": arguments}
    return {"id": identifier, "type": "function", "function": function}


WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The \"weather\" <now> & später, in °C",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "A town\nor a city"},
                "days": {"type": "integer", "minimum": 1, "enum": [1, 2.5, 1e20, True, None]},
            },
            "required": ["place"],
        },
        "return": {"type": "number"},
    },
}
EMPTY = {"type": "function", "function": {"name": "noop", "description": "", "parameters": {}}}
TALK = [call("weather", place="Zürich", days=2)]
RESULT = message("tool", "{\"temperature\": 21.5}", tool_call_id="abcdefghi")

CONVERSATIONS = {
    "question": ([user()], {}),
    "system": ([system(), user()], {}),
    "answer": ([user(), answer()], {}),
    "system answer": ([system(), user(), answer()], {}),
    "turns": ([system(), user("Hi"), answer("Hello!"), user(), answer()], {}),
    "next": ([user("Hi"), answer("Hello!"), user()], {}),
    "empty": ([system(""), user(""), answer("")], {}),
    "no messages": ([], {}),
    "unicode": ([user("Grüße, 世界! 👩‍👩‍👧 e\u0301 \u212b"), answer("ﬁ \u00a0\u2003 Ω\u0000")], {}),
    "spaces": ([system(" \n s\t"), user("  \u2003 a b \n\n"), answer("\n\n x \x1c\u0085")], {}),
    "markup": ([user("<|im_end|> </s> {{ 1 }} {% if %} <b>&amp;</b> \\n 'q' \"d\""), answer("[INST]")], {}),
    "two questions": ([user("a"), user("b"), answer("c")], {}),
    "answer first": ([answer("a"), user("b")], {}),
    "late system": ([user("a"), answer("b"), system("c"), user("d")], {}),
    "unknown role": ([user("a"), message("critic", "b")], {}),
    "thinking": ([user("a"), answer("<think>\nhm\n</think>\n\nb"), user("c"), answer("<think>x</think>d")], {}),
    "reasoning": ([user("a"), answer("b", reasoning_content="\nso\n"), user("c"), answer("d", reasoning="hm")], {}),
    "no content": ([user("a"), message("assistant", None)], {}),
    "not thinking": ([user("a")], {"enable_thinking": False}),
    "tools": ([system(), user()], {"tools": [WEATHER, EMPTY]}),
    "tools without system": ([user()], {"tools": [WEATHER]}),
    "tool calls": (
        [user("a"), answer("", tool_calls=TALK), RESULT, answer("b"), user("c")],
        {"tools": [WEATHER]},
    ),
    "tool calls without tools": ([user("a"), message("assistant", "b", tool_calls=TALK), RESULT], {}),
    "bare call": ([user("a"), {"role": "assistant", "tool_calls": [TALK[0]["function"]]}], {}),
    "two calls": (
        [user("a"), answer("b", tool_calls=TALK + [call("noop", "123456789")]), RESULT, RESULT, answer("c")],
        {"tools": [WEATHER, EMPTY]},
    ),
    "short identifier": ([user("a"), answer("b", tool_calls=[call("noop", "1")])], {}),
    "structured result": ([user("a"), message("tool", {"a": [1, {"b": None}]}, tool_call_id="abcdefghi")], {}),
    "no tools": ([user("a"), answer("b", tool_calls=[])], {"tools": []}),
    "builtin tools": (
        [system(), user("a"), answer("b", tool_calls=[call("brave", q="x", n="1")]), message("ipython", "5")],
        {"builtin_tools": ["code_interpreter", "brave"], "date_string": "1 Jan 2025"},
    ),
    "tools in system": ([system(), user("a")], {"tools": [WEATHER], "tools_in_user_message": False}),
}

VALUES = {
    "n": 3, "x": 2.5, "big": 1e16, "s": "Hello, World", "u": "ǅ ß İ ΑΣ é\u0301", "empty": "", "none_": None,
    "t": True, "list_": [3, 1, 2], "words": ["b", "A", "c", "a"], "d": {"b": 1, "a": [1, "x"], "items_": None},
    "rows": [{"k": "a", "v": 1, "w": {"z": 5}}, {"k": "b", "v": 2, "w": {"z": 4}}, {"k": "a", "v": 0}],
    "text": "one\ntwo\r\nthree\n\n", "quote": "it's \"q\" \\ \n\t\x00\x7f\u00ad é 😀",
}
SNIPPETS = r"""
{{ 1 }} {{ -1 }} {{ +2 }} {{ 1.0 }} {{ 1e16 }} {{ 1e-5 }} {{ 0.1 + 0.2 }} {{ 123456789.0 * 1000000000.0 }} {{ big }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}
{{ 1_000 }} {{ 0x1F }} {{ 0b11 }} {{ 0o17 }} {{ 1_0.5_0 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 1 + 2 * 3 - 4 }}
{{ true }} {{ False }} {{ none }} {{ undefined_ }}|{{ none_ }} {{ t + t }} {{ t == 1 }} {{ 1 == 1.0 }} {{ "1" == 1 }}
{{ "a" ~ 1 ~ none ~ undefined_ ~ true }} {{ "a" "b" 'c' }} {{ "ab" * 3 }} {{ 2 * [1, 2] }} {{ [1] + [2] }} {{ (1,) + (2,) }}
{{ 'a\n\t\\\'\"\x41\u00e9\U0001F600\101\q' }} {{ "it's" }}
{{ [1, 'a', "it's", 'q"', none, true, 1.5, [], {}] }} {{ (1, 2) }} {{ (1,) }} {{ () }} {{ {'a': 1, 'b': [2]} }} {{ [quote] }}
{{ 1, 2 }} {{ [1, 2,] }} {{ {'a': 1,} }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ 'B' < 'a' }} {{ 1 != 2 }} {{ 2 >= 2 }} {{ 2 <= 1.5 }}
{{ 1 in [1] }} {{ 'a' in 'cat' }} {{ 'a' not in 'cat' }} {{ 'b' in d }} {{ 'z' in d }} {{ 1 in undefined_ }} {{ '' in 'a' }} {{ 1 in (1, 2) }}
{{ not true }} {{ not none_ and 1 }} {{ 0 or 'x' }} {{ '' or none }} {{ [] and 1 }} {{ 1 and 2 }} {{ not 1 in [2] }}
{{ 'a' if t else 'b' }} {{ 'a' if none_ }} {{ 1 if false else 2 if false else 3 }} {{ ('a' if false) is defined }}
{{ s[0] }} {{ s[-1] }} {{ s[1:4] }} {{ s[::-1] }} {{ s[:-3] }} {{ s[100:] }} {{ s[99] }} {{ u[3] }} {{ s[::3] }} {{ s[-3:] }} {{ s[5:1:-2] }}
{{ list_[1:] }} {{ list_[::-1] }} {{ list_[-1] }} {{ list_[5] is defined }} {{ (1, 2, 3)[1:] }} {{ list_[0:none] }}
{{ d.b }} {{ d['b'] }} {{ d.a[1] }} {{ d.a.1 }} {{ d.zz }} {{ d['zz'] is defined }} {{ d.get('b') }} {{ d.get('z', 5) }} {{ d.get('z') }}
{{ rows[0].w.z }} {{ rows.0.k }} {{ none_.x is defined }} {{ s.zz is defined }} {{ n.zz is defined }}
{{ d.keys() | list }} {{ d.values() | list }} {{ d.items() | list }} {{ d | items | list }} {{ d | list }} {{ d | length }}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %} {% for k in d %}{{ k }}{% endfor %} {% for c in 'aé' %}{{ c }}.{% endfor %}
{{ s.startswith('He') }} {{ s.endswith('d') }} {{ s.startswith(('x', 'H')) }} {{ s.upper() }} {{ s.lower() }} {{ u.upper() }} {{ u.lower() }}
{{ '  a '.strip() }}| {{ 'xxaxx'.strip('x') }} {{ 'xaybx'.lstrip('xy') }} {{ 'ab\n\n'.rstrip('\n') }} {{ ' a '.lstrip() }}|
{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ 'abc'.split('b')[-1] }} {{ ''.split(',') }} {{ ''.split() }}
{{ 'a-b'.replace('-', '+') }} {{ 'aaa'.replace('a', 'b', 2) }} {{ ', '.join(['a', 'b']) }} {{ 'hello world'.title() }} {{ "they're bill's".title() }} {{ 'hELLO'.capitalize() }}
{{ 'abcabc'.find('c') }} {{ 'abcabc'.rfind('c') }} {{ 'abc'.find('x') }} {{ 'ééa'.find('a') }} {{ 'aaa'.count('a') }} {{ text.splitlines() }}
{{ '12'.isdigit() }} {{ ''.isdigit() }} {{ 'a1'.isalnum() }} {{ 'ab'.isalpha() }} {{ ' '.isspace() }} {{ 'AB1'.isupper() }} {{ 'aB'.islower() }} {{ '²'.isdigit() }} {{ '½'.isdigit() }}
{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('bc') }} {{ 'abc'.removeprefix('x') }} {{ 'a'.removesuffix('') }}
{{ '  a\n' | trim }}| {{ 'xax' | trim('x') }} {{ undefined_ | trim }}| {{ 5 | trim }} {{ none | trim }}
{{ s | length }} {{ u | length }} {{ list_ | count }} {{ undefined_ | length }} {{ d | length }}
{{ s | upper }} {{ s | lower }} {{ u | capitalize }} {{ 'a b-c (d) [e' | title }} {{ 'HELLO wORLD' | title }} {{ 3 | string + 'x' }} {{ undefined_ | string }}|
{{ d | tojson }} {{ quote | tojson }} {{ rows | tojson(indent=2) }} {{ [] | tojson(indent=4) }} {{ {} | tojson(indent=4) }} {{ none | tojson }} {{ 1.0 | tojson }} {{ big | tojson }}
{{ u | tojson(ensure_ascii=true) }} {{ '😀\x7f' | tojson(true) }} {{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ [1, {'a': 2}] | tojson(separators=(',', ':')) }} {{ [1, [2]] | tojson(indent='-') }} {{ (1, 2) | tojson }}
{{ list_ | join }} {{ list_ | join(', ') }} {{ rows | join('-', attribute='k') }} {{ [none, true, 1.5] | join('/') }} {{ 'abc' | join('.') }}
{{ list_ | first }} {{ list_ | last }} {{ [] | first }}| {{ 'abc' | first }} {{ 'abc' | last }} {{ d | first }}
{{ undefined_ | default('x') }} {{ none_ | default('x') }} {{ none_ | default('x', true) }} {{ '' | d('y', boolean=true) }} {{ undefined_ | d }}|
{{ '42' | int }} {{ ' 42 ' | int }} {{ '4.7' | int }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ 4.9 | int }} {{ -4.9 | int }} {{ true | int }} {{ '1.5' | float }} {{ 'x' | float }} {{ 3 | float }} {{ -3 | abs }}
{{ rows | map(attribute='k') | list }} {{ rows | map(attribute='w.z', default=0) | list }} {{ words | map('upper') | join }} {{ words | map('replace', 'a', 'z') | list }}
{{ rows | selectattr('k', 'equalto', 'a') | list | length }} {{ rows | selectattr('v') | map(attribute='v') | list }} {{ rows | rejectattr('w', 'defined') | list }} {{ list_ | select('gt', 1) | list }} {{ list_ | reject('odd') | list }} {{ [0, 1, ''] | select | list }}
{{ rows | selectattr('v', 'in', [1, 0]) | map(attribute='v') | join(',') }} {{ rows | map(attribute='k') | unique | list }} {{ words | unique | list }}
{{ list_ | sort }} {{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ list_ | sort(reverse=true) }} {{ rows | sort(attribute='v') | map(attribute='v') | list }} {{ d | dictsort }} {{ words | sort(reverse=true) }}
{{ list_ | reverse | list }} {{ 'abc' | reverse }} {{ 'a-b' | replace('-', '+') }} {{ 'aaa' | replace('a', 'b', 1) }} {{ 12 | replace(1, 'x') if false else 'ok' }}
{{ text | indent }}| {{ text | indent(2, true) }}| {{ text | indent(2, blank=true) }}| {{ text | indent('>') }}|
{{ n is defined }} {{ undefined_ is undefined }} {{ none_ is none }} {{ n is not none }} {{ n is number }} {{ t is number }} {{ t is boolean }} {{ t is integer }} {{ n is integer }} {{ x is float }} {{ s is string }} {{ n is string }}
{{ d is mapping }} {{ list_ is mapping }} {{ s is iterable }} {{ n is iterable }} {{ undefined_ is iterable }} {{ s is sequence }} {{ d is sequence }} {{ n is sequence }} {{ undefined_ is sequence }} {{ rows | map('list') is sequence }} {{ rows | map('list') is iterable }}
{{ t is true }} {{ 1 is true }} {{ false is false }} {{ 4 is even }} {{ 3 is odd }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ n is eq 3 }} {{ n is equalto(4) }} {{ n is lt 4 }} {{ n is ge 3 }} {{ 'a' is in 'abc' }} {{ none is sameas none }} {{ 'ab' is lower }} {{ 'AB' is upper }}
{{ range is callable }} {{ n is callable }} {{ strftime_now is defined }} {{ raise_exception is defined }} {{ not n is defined }} {{ n is defined and s is string or x }}
{% set a = 1 %}{{ a }}{% set a, b = 2, 3 %}{{ a }}{{ b }}{% set (c, e) = (4, 5) %}{{ c }}{{ e }}{% set f = [1, 2] %}{{ f }}{% set g = 1, 2 %}{{ g }}
{% set a %}x{{ n }}y{% endset %}{{ a | length }}{{ a }}{% set b | upper | trim %} abc {% endset %}{{ b }}|
{% set ns = namespace(a=1) %}{% for i in list_ %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }} {{ ns.zz is defined }} {{ ns['a'] }} {% set m = namespace({'q': 1}, r=2) %}{{ m.q }}{{ m.r }}
{% set v = 1 %}{% for i in [1, 2] %}{{ v }}{% set v = 9 %}{{ v }}{% endfor %}{{ v }} {% if true %}{% set v = 5 %}{% endif %}{{ v }}
{% for i in list_ %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.depth }};{% endfor %}
{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{% endfor %} {% for i in [] %}x{% else %}empty{% endfor %} {% for i in undefined_ %}x{% else %}none{% endfor %}
{% for i in list_ if i > 1 %}{{ i }}{{ loop.length }}{{ loop.last }}{% else %}x{% endfor %} {% for i in list_ if i > 9 %}x{% else %}none{% endfor %} {% for k, v in d.items() if k != 'b' %}{{ k }}{% endfor %}
{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %} {{ range(3) | list }} {{ range(1, 6, 2) | list }} {{ range(3, 0, -1) | list }}
{% for a in [1, 2] %}{% for b in [3, 4] %}{{ a }}{{ b }}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %} {{ loop is defined }}
{% macro m(a, b=2, c=none) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(1, c=4) }}{{ m() }}{{ m(a=0) | length }}{% set r = m(5) %}{{ r ~ 'x' }}
{% macro fact(k) %}{{ k if k < 2 else k * (fact(k - 1) | int) }}{% endmacro %}{{ fact(5) }} {% macro outer() %}{{ n }}{{ later }}{% endmacro %}{% set later = 7 %}{{ outer() }}
{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}| {% filter upper %}abc{{ s }}{% endfilter %} {% raw %}{{ x }}{% if %}{% endraw %}
{% generation %}abc{% endgeneration %} {% generation %}{% set inner = 1 %}{% endgeneration %}{{ inner is defined }}
{% if n == 1 %}a{% elif n == 3 %}b{% else %}c{% endif %}{% if n > 5 %}a{% elif n > 4 %}b{% else %}c{% endif %}{% if none_ %}x{% endif %}
{{ dict(a=1, b=2) }} {{ dict({'x': 1}, y=2) | tojson }} {{ namespace is defined }} {{ 1.5 | string }} {{ [1.0, 1e22, 1e-7] }}
{{ {'a': 1} == {'a': 1.0} }} {{ [1, [2]] == [1, [2]] }} {{ [1] == (1,) }} {{ d == d }} {{ undefined_ == undefined2 }} {{ none == undefined_ }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }}
{{ 'é' == 'e\u0301' }} {{ 'e\u0301' | length }} {{ {'é': 1, 'e\u0301': 2} | length }} {{ 'e\u0301x'.replace('e', 'a') }} {{ '\r\n' | length }} {{ 'a\r\nb'.split('\n') }}
{{ (n + 1) | string ~ 'x' }} {{ n | string | length }} {{ -n | abs }} {{ 1 - -1 }} {{ not n == 3 }} {{ n if n is not none and n > 2 else 0 }} {{ "%" }} {{ 5 % 3 }}
{{ rows[-1]['k'] }} {{ rows[1:][0].k }} {{ (rows | first).k }} {{ (rows | map(attribute='v') | list)[-1] }} {{ rows[0]['w']['z'] + 1 }}
{{ ''.join(words) }} {{ words | join | upper }} {{ ('a' ~ 'b').upper() }} {{ [1, 2].index(2) }} {{ [1, 1].count(1) }} {{ 'x' ~ loop | default('none') }}
"""
WHITESPACE = [
    "a\n  {% if true %}\n  b\n  {% endif %}\n  c\n", "a {% if true %} b {% endif %} c", "a\n  {%- if true -%}\n  b\n  {%- endif -%}\n  c",
    "a\n  {%+ if true %}\n  b\n  {%+ endif +%}\n  c", "  {{ 1 }}\n  {{ 2 }}\n", "a  {{- 1 -}}  b", "a\n{# c #}\nb", "a\n  {#- c -#}\n  b", "  {# c #}\nb", "a {# c #} b\n  {# d +#}\n e",
    "{#-#}x", "a {#--#} b", "{% raw %}\n {{ x }} \n{% endraw %}\nb", "a\n  {%- raw -%}  {{ x }}  {%- endraw -%}  \nb", "{% raw -%}\n x{%+ endraw +%}\nb", "  {% raw %} a {% endraw %}",
    "x\n\n", "x\n", "\n", "", "\r\na\r\n{% if true %}\r\nb\r{% endif %}\r\n", "{% if true %}\n\n\na{% endif %}\n\nb", "{% for i in [1, 2] %}\n  {{ i }}\n{% endfor %}\n",
    "{% for i in [1, 2] -%}\n  {{ i }}\n{%- endfor %}\n", "{{ 'a' }}\n\t{% set x = 1 %}\t\nb", " \u00a0{% set x = 1 %}b", "a\x1c\x85{%- set x = 1 %}b", "{{ {'a': {'b': 1}}['a'] }}", "{{ '}}' }} {{ '%}' }}",
    "{% set x = {'a': '%}'} %}{{ x }}", "{{-1}}", "{{ 1 -}} 2", "{{ [1,\n 2] }}\n{{ (\n1\n) }}", "{ { } } {x} {", "a{%- if true %} b{% endif -%} c", "{%if true%}a{%endif%}", "{{n}}{{-n}}{{ - n }}",
    "  {% if true %}a{% endif %}  {% if true %}\n{% endif %}", "{{ 'a' }}{# x #}\n\n{{ 'b' }}", "\t{%- set a = 1 -%}\t {{ a }} \t{%- set b = 1 %}\n x",
]
ERRORS = [
    "{{ undefined_.x }}", "{{ undefined_ + 1 }}", "{{ 'a' + 1 }}", "{{ undefined_() }}", "{{ n() }}", "{{ s.nope() }}", "{{ 1 / 0 }}", "{{ list_ | nope }}", "{{ n is nope }}",
    "{% for i in n %}{% endfor %}", "{{ 1 in 'a' }}", "{{ 1 < 'a' }}", "{{ raise_exception('stop') }}", "{{ rows | map(attribute='k') | length }}", "{{ undefined_ | tojson }}", "{% set d.x = 1 %}",
    "{{ list_.append(1) }}", "{{ d.update({}) }}", "{{ d.pop('b') }}", "{% set a, b = 1 %}", "{% set a, b = [1, 2, 3] %}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}",
    "{% set ns = namespace(_a=1) %}", "{{ range(200000) }}", "{% if %}{% endif %}", "{% if true %}", "{% endif %}", "{{ }}", "{{ 1", "{{ 'a }}", "{% for %}{% endfor %}", "{{ (1 }}", "{{ 1) }}", "{{ [1 }}",
    "{# a", "{% raw %}a", "{% nope %}", "{{ a b }}", "{% set true = 1 %}", "{{ 1 is defined is defined }}", "{{ f(a=1, 2) }}", "{{ a[] }}", "{{ a. }}", "{{ | upper }}", "{% break %}", "{{ $ }}", "{{ 'a' | int(1, 2, 3) }}",
    "{{ ''.split('') }}", "{{ [1, 'a'] | sort }}", "{{ s[::0] }}", "{{ s['a':] }}", "{% if true %}{% for i in [1] %}{% endif %}{% endfor %}", "{{ '\\x4' }}", "{{ none + 'a' }}", "{{ 'a' ~ }}", "{{ not }}", "{{ ', '.join([1]) }}",
    "{{ 'a'.startswith(1) }}", "{{ 3 | length }}", "{{ none.x.y }}", "{{ list_.x.y }}", "{% macro m(a=1, b) %}{% endmacro %}",
]


def rendered(name, template, messages, variables, prompt):
    variables = {**TOKENS[name], **variables}
    try:
        texts, _ = render_jinja_template(
            conversations=[messages], chat_template=template, add_generation_prompt=prompt, **variables
        )
        return texts[0]
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)}


def main():
    cases = []
    for name in TOKENS:
        with open(os.path.join(FOLDER, f"{name}.jinja"), encoding="utf-8", newline="") as file:
            template = file.read()
        for title, (messages, variables) in CONVERSATIONS.items():
            plain = rendered(name, template, messages, variables, False)
            prompt = rendered(name, template, messages, variables, True)
            if isinstance(plain, str) and isinstance(prompt, str) and prompt.startswith(plain):
                # Only what the prompt adds, to keep the file small.
                prompt = {"adds": prompt[len(plain):]}
            cases.append({"template": name, "conversation": title, "plain": plain, "prompt": prompt})
    ranges = {}
    with open(os.path.join(FOLDER, "generation.jinja"), encoding="utf-8") as file:
        template = file.read()
    for title in ["turns", "unicode", "empty", "spaces", "answer first"]:
        messages, _ = CONVERSATIONS[title]
        texts, found = render_jinja_template(
            conversations=[messages], chat_template=template, return_assistant_tokens_mask=True
        )
        ranges[title] = [texts[0][start:end] for start, end in found[0]]
    conversations = {
        title: {"messages": messages, "variables": variables}
        for title, (messages, variables) in CONVERSATIONS.items()
    }
    result = {"tokens": TOKENS, "conversations": conversations, "cases": cases, "generations": ranges}
    write("rendered.json", result)

    snippets = []
    for source in SNIPPETS.strip().split("\n") + WHITESPACE:
        try:
            snippets.append([source, _compile_jinja_template(source).render(**VALUES)])
        except Exception as error:
            raise SystemExit(f"{error}: {source}")
    for source in ERRORS:
        try:
            text = _compile_jinja_template(source).render(**VALUES)
        except Exception:
            snippets.append([source, None])
        else:
            raise SystemExit(f"no error: {source} gives {text!r}")
    write("snippets.json", {"values": VALUES, "snippets": snippets})


def write(name, value):
    with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


main()
