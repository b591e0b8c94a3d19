"""What the voices of the synthetic corpus say: short sentences of English, Hindi and Mandarin."""

import re

SENTENCES = {
    "en": """
Please leave your wet shoes beside the back door. Nobody noticed that the picture was upside down.
The kettle is on and the bread is almost ready. My sister paints small boats in her spare time.
We planted three apple trees behind the house. The shop on the corner sells very good cheese.
The children built a castle out of cardboard. Snow covered the garden while we were asleep.
The last train home leaves at half past ten. We walked along the river until it got dark.
A fox crossed the road right in front of us. The postman brought a parcel in brown paper.
Their flat has a lovely view of the harbour. She keeps her letters in an old wooden box.
Tickets are cheaper if you buy them online. She learned to drive a tractor on the farm.
We found a quiet beach near the lighthouse. I need a new battery for the kitchen clock.
Could you turn the radio down a little bit? Her garden is full of roses and busy bees.
The soup needs more salt and some pepper. You can borrow my bicycle until Thursday.
He sings loudly while washing the dishes. The baker waves at us through the window.
Have you seen my green notebook anywhere? I will call you when the meeting is over.
Our neighbours grow tomatoes on the roof. The plane was late because of thick fog.
Her brother plays drums in a small band. We shared a pizza and watched the rain.
My grandfather repaired broken watches. They painted the fence a cheerful blue.
The old lift stops between two floors. The dog hid his bone beneath the sofa.
Do you want lemon or milk in your tea? Our lamp needs a new bulb by tonight.
The library closes early on Saturday. I would rather walk than take a taxi.
My aunt teaches swimming at the pool. He missed the early bus once again.
""",
    "hi": """
गाँव का रास्ता नदी के किनारे से जाता है। क्या आप मुझे स्टेशन का रास्ता बता सकते हैं? नाव धीरे धीरे दूसरे किनारे पहुँच गई।
दादाजी हमें पुराने दिनों की बातें बताते हैं। बाज़ार में आज ताज़ी सब्ज़ियाँ मिल रही हैं। किसान सुबह जल्दी उठकर खेत जाता है।
रात को आसमान में अनगिनत तारे दिखते हैं। मेरी बहन रोज़ शाम को सितार बजाती है। हमारी गली में नया डाकघर खुल गया है।
मेले में हमने झूले और मिठाई का आनंद लिया। तुम्हारी घड़ी पाँच मिनट आगे चल रही है। कृपया अपने जूते दरवाज़े के बाहर उतारिए।
दुकान से दो किलो आलू और प्याज़ ले आना। दर्ज़ी ने मेरा कुर्ता समय पर सिल दिया। उसने दीवार पर सुंदर तस्वीर टाँग दी है।
मुझे सर्दियों की धूप बहुत अच्छी लगती है। शाम होते ही पक्षी घोंसले में लौट आते हैं। आज सुबह से बहुत तेज़ बारिश हो रही है।
तुम इतनी जल्दी वापस क्यों जा रहे हो? शिक्षक ने हमें एक मज़ेदार कहानी सुनाई। मैं खाना खाने के बाद थोड़ा टहलता हूँ।
पिताजी अख़बार पढ़ते हुए चाय पीते हैं। हम छुट्टियों में पहाड़ों पर घूमने गए थे। वह दोस्तों के साथ मैदान में खेलता है।
इस पेड़ पर हर साल मीठे आम लगते हैं। उसे गरम जलेबी और ठंडा दही पसंद है। पड़ोस की लड़की बहुत मीठा गाती है।
क्या तुमने मेरी नीली किताब देखी है? उनके घर में दो गाय और एक बकरी है। मामा जी कल सुबह दिल्ली से लौटेंगे।
रेलगाड़ी आधे घंटे की देरी से आएगी। मेरी सहेली ने मुझे लंबा पत्र लिखा। फूलों की ख़ुशबू पूरे बगीचे में फैल गई।
सबने मिलकर पूरे घर की सफ़ाई की। इस साल गेहूँ की फ़सल अच्छी हुई है। यह मोटा कंबल हाथ से बुना हुआ है।
बस अड्डे के पास एक पुराना कुआँ है। हमने छत पर बैठकर चाँद को देखा। बिल्ली चुपके से सारा दूध पी गई।
इस डिब्बे में पुराने सिक्के रखे हैं।
""",
    "zh-CN": """
你知道最近的邮局在哪里吗。 老师给我们讲了一个故事。 我把钥匙落在办公室里了。 爸爸在阳台上修理椅子。
这个西瓜看起来又大又甜。 奶奶做的红烧鱼味道最香。 火车晚点了大约半个小时。 这本词典是朋友送给我的。
他的房间里挂着一张地图。 今天的作业比昨天多一些。 爷爷在院子里种了很多花。 我妹妹每天晚上练习钢琴。
图书馆每个星期一不开门。 昨天晚上的月亮特别圆。 弟弟用积木搭了一座桥。 我的手机又快要没电了。
我们周末一起去爬山吧。 同学们为她唱了生日歌。 姐姐下个月要搬到新家。 妹妹的裙子是浅蓝色的。
妈妈正在厨房里包饺子。 邻居送给我们一篮鸡蛋。 河边的柳树已经发芽了。 请在门口把鞋子换一下。
小猫躲在沙发下面睡觉。 她用毛笔写了一封长信。 雪停了以后街上很安静。 秋天的树叶慢慢变黄了。
今天早上外面下着小雨。 那条小路一直通到海边。 冬天喝一碗热汤真舒服。 请你把客厅的窗户关上。
叔叔会修各种旧收音机。 我们坐在屋顶上看星星。 医生让他每天多喝温水。 今晚的电影几点钟开始。
孩子们在操场上放风筝。 桌子上放着两杯绿茶。 院子里的狗一直在叫。 我喜欢坐在窗边看书。
""",
}


def sentences(locale: str) -> list[str]:
    """Return all sentences of a language."""
    return re.split(r"(?<=[.?।。])\s+", SENTENCES[locale].strip())
