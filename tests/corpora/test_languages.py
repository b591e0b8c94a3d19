import shlex
import subprocess
import sys

import pytest

from langid.corpora.languages import code_of, language_of, unknown_note

CODES = {
    "English": "en eng en_us en-US EN english English",
    "Hindi": "hi hin hi_in hindi",
    "Mandarin": "zh zho chi cmn zh-CN zh-TW cmn_hans_cn zh-Hans mandarin Chinese",
    "Cantonese": "yue zh-HK zh_hant_hk yue_hant_hk zh-yue Cantonese",
    "Min Nan Chinese": "nan nan-tw",
    "Hebrew": "he iw heb he_il",
    "Javanese": "jv jw jv_id",
    "Norwegian": "no nor nb nb_no nb-NO",
    "Norwegian Nynorsk": "nn nn-NO",
    "Romansh": "rm-sursilv rm-vallader",
    "German": "de deu ger de_de",
    "French": "fr fra fre fr_fr",
    "Persian": "fa fas per pes fa_ir Farsi",
    "Arabic": "ar arb ar_eg",
    "Swahili": "sw swh sw_ke",
    "Filipino": "fil fil_ph tl",
    "Central Kurdish": "ckb ckb_iq Central_Kurdish",
    "Kurmanji Kurdish": "kmr 'Kurmanji Kurdish'",
    "Bengali": "bn bn_in Bangla",
    "Frisian": "fy fy-NL",
    "Luganda": "lg lg_ug",
    "Punjabi": "pa pa-IN",
    "Irish": "ga-IE ga_ie",
    "Swedish": "sv-SE sv_se",
    "Nepali": "ne-NP npi",
    "Armenian": "hy-AM hy_am hye",
    "Spanish": "es es_419",
    "Portuguese": "pt pt_br",
    "Serbian": "sr sr_rs",
    "Upper Sorbian": "hsb 'Upper Sorbian'",
    "Erzya": "myv",
    "Toki Pona": "tok",
    "Manx": "gv",
    "Waray": "war",
}
FLEURS = """af_za am_et ar_eg as_in ast_es az_az be_by bg_bg bn_in bs_ba ca_es ceb_ph ckb_iq
cmn_hans_cn cs_cz cy_gb da_dk de_de el_gr en_us es_419 et_ee fa_ir ff_sn fi_fi fil_ph fr_fr ga_ie
gl_es gu_in ha_ng he_il hi_in hr_hr hu_hu hy_am id_id ig_ng is_is it_it ja_jp jv_id ka_ge kam_ke
kea_cv kk_kz km_kh kn_in ko_kr ky_kg lb_lu lg_ug ln_cd lo_la lt_lt luo_ke lv_lv mi_nz mk_mk ml_in
mn_mn mr_in ms_my mt_mt my_mm nb_no ne_np nl_nl nso_za ny_mw oc_fr om_et or_in pa_in pl_pl ps_af
pt_br ro_ro ru_ru sd_in sk_sk sl_si sn_zw so_so sr_rs sv_se sw_ke ta_in te_in tg_tj th_th tr_tr
uk_ua umb_ao ur_pk uz_uz vi_vn wo_sn xh_za yo_ng yue_hant_hk zu_za"""
VOXLINGUA107 = """ab af am ar as az ba be bg bi bn bo br bs ca ceb cs cy da de el en eo es et eu fa
fi fo fr gl gn gu gv ha haw hi hr ht hu hy ia id is it iw ja jw ka kk km kn ko la lb ln lo lt lv mg
mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sco sd si sk sl sn so sq sr su sv sw ta
te tg th tk tl tr tt uk ur uz vi war yi yo zh"""


@pytest.mark.parametrize("language", CODES)
def test_codes_of_a_language_come_to_one_name(language: str) -> None:
    codes = shlex.split(CODES[language])
    assert {code: language_of(code) for code in codes} == dict.fromkeys(codes, language)
    assert language_of(language) == language
    assert language_of(code_of(language) or "") == language


def test_every_folder_of_fleurs_and_voxlingua107_has_a_name_of_its_own() -> None:
    for corpus in (FLEURS, VOXLINGUA107):
        codes = corpus.split()
        assert unknown_note("corpus", codes) == []
        assert len({language_of(code) for code in codes}) == len(codes)


@pytest.mark.parametrize(
    "name",
    ["test", "xx", "mul", "und", "Englishman", "hinid", "en.wav", "en_us_foo", "ÿ\udcff", "1"],
)
def test_a_name_of_no_language_stays_as_it_is(name: str) -> None:
    assert language_of(name) == name and code_of(name) is None
    assert repr(name) in unknown_note("corpus", ["en", name])[0]


def test_the_note_names_the_nearest_language_and_few_folders() -> None:
    note = unknown_note("corpus", ["en", "Klingnon", "zzzzz"])
    assert note == [
        "corpus: no language is known as 'Klingnon' (the nearest is Klingon), 'zzzzz'; kept as the"
        " name of the class"
    ]
    (many,) = unknown_note("corpus", [f"zzzz{number}" for number in range(25)])
    assert many.count("'zzzz") == 20
    assert "and others" in many


def test_names_are_not_read_before_a_corpus_is() -> None:
    code = (
        "import sys, langid.commands.main, langid.corpora.folders;"
        "print([name for name in sys.modules if name in ('langcodes', 'language_data')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
