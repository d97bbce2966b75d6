# SPDX-License-Identifier: Apache-2.0
"""Sentences as residents and stations write them, in eight languages, written for this purpose.

They teach text_coding_tables.py what letter statistics of word lists do not know: how words begin and end, where
capitals, digits and punctuation stand. Not used at run time.
"""

SENTENCES = {
    "de": """Bitte schicken Sie einen Arzt. Meine Mutter ist im Bad ausgerutscht und kann das Bein nicht bewegen.
Wir sind zu fünft im 4. Stock, Vorderhaus, bei Schröder klingeln geht nicht, bitte laut rufen.
Mein Vater ist zuckerkrank und hat seit gestern Abend kein Insulin mehr. Er ist sehr müde und verwirrt.
Im Keller brennt es! Der ganze Flur ist voller Rauch, wir kommen nicht mehr zur Treppe.
Die Heizung ist aus und wir haben ein Baby, 6 Monate alt. Gibt es eine warme Unterkunft in der Nähe?
Seit 3 Uhr nachts fließt Wasser aus der Decke, der Strom ist weg, ich habe Angst vor einem Kurzschluss.
Hallo, ich bin Pflegekraft in der Hauptstraße 45 und brauche Hilfe beim Tragen einer Patientin.
Wir haben Ihre Nachricht erhalten. Der Rettungswagen ist unterwegs und trifft in etwa 20 Minuten ein.
Ein Helfer kommt zu Ihnen. Bitte öffnen Sie die Haustür und machen Sie sich mit einer Lampe bemerkbar.
Der Stromausfall dauert voraussichtlich bis morgen Mittag. Trinkwasser gibt es am Rathaus und in der Turnhalle der
Schule. Es geht uns wieder gut, wir brauchen keine Hilfe mehr. Danke! Auf der Kreuzung ist ein Unfall passiert, zwei
Autos und ein Fahrrad, jemand liegt auf der Straße und antwortet nicht. Mein Nachbar über mir schlägt seine Frau, ich
höre Schreie und etwas ist zerbrochen, bitte kommen Sie schnell. Ich sitze im Rollstuhl und kann das Haus nicht
verlassen, der Akku meines Beatmungsgeräts reicht noch zwei Stunden. Wer kann meine Großmutter abholen? Sie wohnt
allein in der Goethestraße 7, Hinterhaus, Erdgeschoss rechts. Es riecht stark nach Gas. Wir haben die Fenster geöffnet
und warten draußen vor dem Haus. Achtung: Bleiben Sie zu Hause, schließen Sie Fenster und Türen und schalten Sie das
Radio ein.""",
    "en": """Please send a doctor. My mother slipped in the bathroom and cannot move her leg. There are five
of us on the fourth floor, the doorbell does not work, please shout or call out. My father has diabetes and has had no
insulin since last night. He is very tired and confused. The basement is on fire! The whole hallway is full of smoke
and we can't get to the stairs any more. The heating is off and we have a baby, 6 months old. Is there a warm place
nearby where we could stay? Water has been coming through the ceiling since 3 am, there is no power and I am afraid of
a short circuit. Hello, I'm a nurse at 45 Main Street and I need help to carry a patient downstairs. We have received
your message. The ambulance is on its way and will arrive in about 20 minutes. A helper is coming to you. Please open
the front door and show a light so that they can find you. The power cut is expected to last until tomorrow noon.
Drinking water is available at the town hall and at the school. We are fine again and do not need help any more. Thank
you! There was an accident at the crossing, two cars and a bicycle, someone is lying on the road and does not answer.
My neighbour upstairs is beating his wife, I hear screams and something broke, please come quickly. I use a wheelchair
and can't leave the house, the battery of my ventilator will last two more hours. Who can pick up my grandmother? She
lives alone at number 7, back building, ground floor on the right. It smells strongly of gas. We opened the windows and
are waiting outside in front of the house. Warning: stay at home, close windows and doors, and turn on the radio.""",
    "tr": """Lütfen bir doktor gönderin. Annem banyoda kaydı ve bacağını hareket ettiremiyor. Dördüncü katta beş
kişiyiz,
zil çalışmıyor, lütfen aşağıdan yüksek sesle bağırın. Babam şeker hastası ve dün akşamdan beri insülini yok. Çok yorgun
ve kafası karışık. Bodrumda yangın var! Bütün koridor duman dolu, merdivene ulaşamıyoruz. Kalorifer çalışmıyor ve 6
aylık bir bebeğimiz var. Yakında kalabileceğimiz sıcak bir yer var mı? Gece saat 3'ten beri tavandan su akıyor,
elektrik yok, kısa devre olmasından korkuyorum. Merhaba, ben Hauptstraße 45'te çalışan bir hemşireyim ve bir hastayı
taşımak için yardıma ihtiyacım var. Mesajınızı aldık. Ambulans yolda ve yaklaşık 20 dakika içinde gelecek. Size bir
yardımcı geliyor. Lütfen dış kapıyı açın ve bir ışıkla yerinizi belli edin. Elektrik kesintisi yarın öğlene kadar
sürebilir. İçme suyu belediye binasında ve okulun spor salonunda dağıtılıyor. Artık iyiyiz, yardıma ihtiyacımız yok.
Teşekkür ederiz! Kavşakta kaza oldu, iki araba ve bir bisiklet, biri yolda yatıyor ve cevap vermiyor. Üst kattaki
komşum karısını dövüyor, çığlıklar duyuyorum, lütfen çabuk gelin. Tekerlekli sandalyedeyim ve evden çıkamıyorum,
solunum cihazımın pili iki saat daha dayanır. Büyükannemi kim alabilir? Arka binada, zemin katta, sağda tek başına
yaşıyor. Çok güçlü gaz kokusu var. Pencereleri açtık ve evin önünde bekliyoruz. Dikkat: Evde kalın, pencereleri ve
kapıları kapatın, radyoyu açın.""",
    "ar": """الرجاء إرسال طبيب. سقطت أمي في الحمام ولا تستطيع تحريك ساقها. نحن خمسة
أشخاص في الطابق الرابع، الجرس لا يعمل، الرجاء المناداة بصوت عال. أبي مريض بالسكري وليس عنده أنسولين منذ مساء أمس. هو
متعب جدا ومشوش. هناك حريق في القبو! الممر كله مليء بالدخان ولا نستطيع الوصول إلى الدرج. التدفئة لا تعمل ومعنا طفل عمره
6 أشهر. هل يوجد مكان دافئ قريب منا؟ الماء ينزل من السقف منذ الساعة 3 ليلا، الكهرباء مقطوعة، وأنا خائف. مرحبا، أنا ممرضة
في شارع هاوبت 45 وأحتاج إلى مساعدة لحمل مريضة. لقد وصلت رسالتك. سيارة الإسعاف في الطريق وستصل خلال 20 دقيقة تقريبا.
سيأتي إليكم شخص للمساعدة. الرجاء فتح باب البيت وإظهار ضوء حتى يجدكم. من المتوقع أن يستمر انقطاع الكهرباء حتى ظهر الغد.
ماء الشرب متوفر عند مبنى البلدية وفي المدرسة. نحن بخير الآن ولا نحتاج إلى مساعدة. شكرا لكم! وقع حادث عند التقاطع،
سيارتان ودراجة، وهناك شخص على الأرض لا يجيب. جاري في الطابق العلوي يضرب زوجته، أسمع صراخا، تعالوا بسرعة من فضلكم. أنا
على كرسي متحرك ولا أستطيع الخروج من البيت، بطارية جهاز التنفس تكفي لساعتين فقط. من يستطيع أن يأخذ جدتي؟ هي تسكن وحدها
في البناية الخلفية، الطابق الأرضي على اليمين. هناك رائحة غاز قوية. فتحنا النوافذ وننتظر أمام البيت. تنبيه: ابقوا في
المنزل وأغلقوا النوافذ والأبواب واستمعوا إلى الراديو.""",
    "ru": """Пожалуйста, пришлите врача. Мама поскользнулась в
ванной и не может двигать ногой. Нас пятеро на четвёртом этаже, звонок не работает, крикните, пожалуйста, снизу. У отца
диабет, со вчерашнего вечера нет инсулина. Он очень устал и плохо соображает. В подвале пожар! Весь коридор в дыму, мы
не можем пройти к лестнице. Отопление не работает, а у нас ребёнок, 6 месяцев. Есть ли рядом тёплое место? С 3 часов
ночи с потолка течёт вода, света нет, боюсь короткого замыкания. Здравствуйте, я медсестра на Хауптштрассе 45, нужна
помощь, чтобы перенести больную. Мы получили ваше сообщение. Скорая помощь уже едет и будет примерно через 20 минут. К
вам идёт помощник. Пожалуйста, откройте входную дверь и посветите фонарём. Отключение света продлится, вероятно, до
завтрашнего дня. Питьевую воду дают у ратуши и в школе. У нас всё хорошо, помощь больше не нужна. Спасибо! На
перекрёстке авария, две машины и велосипед, человек лежит на дороге и не отвечает. Сосед сверху бьёт жену, я слышу
крики, приезжайте скорее. Я в инвалидной коляске и не могу выйти из дома, батареи аппарата хватит на два часа. Кто
может забрать мою бабушку? Она живёт одна, задний дом, первый этаж направо. Сильно пахнет газом. Мы открыли окна и ждём
на улице перед домом. Внимание: оставайтесь дома, закройте окна и двери и включите радио.""",
    "uk": """Будь ласка,
надішліть лікаря. Мама послизнулася у ванній і не може рухати ногою. Нас п'ятеро на четвертому поверсі, дзвінок не
працює, гукніть, будь ласка, знизу. У батька діабет, від учорашнього вечора немає інсуліну. Він дуже втомлений і погано
розуміє. У підвалі пожежа! Увесь коридор у диму, ми не можемо дістатися до сходів. Опалення не працює, а в нас дитина,
6 місяців. Чи є поруч тепле місце? З 3 години ночі зі стелі тече вода, світла немає, боюся короткого замикання. Добрий
день, я медсестра на Гауптштрасе 45, потрібна допомога, щоб перенести хвору. Ми отримали ваше повідомлення. Швидка
допомога вже їде і буде приблизно за 20 хвилин. До вас іде помічник. Будь ласка, відчиніть вхідні двері і посвітіть
ліхтариком. Вимкнення світла триватиме, ймовірно, до завтрашнього дня. Питну воду дають біля ратуші та в школі. У нас
усе добре, допомога більше не потрібна. Дякуємо! На перехресті аварія, дві машини і велосипед, людина лежить на дорозі
і не відповідає. Сусід згори б'є дружину, я чую крики, приїжджайте швидше. Я в інвалідному візку і не можу вийти з
дому, батареї апарата вистачить на дві години. Хто може забрати мою бабусю? Вона живе сама, задній будинок, перший
поверх праворуч. Сильно пахне газом. Ми відчинили вікна і чекаємо на вулиці перед будинком. Увага: залишайтеся вдома,
зачиніть вікна і двері та ввімкніть радіо.""",
    "pl": """Proszę przysłać lekarza. Moja mama poślizgnęła się w łazience i
nie może ruszać nogą. Jest nas pięcioro na czwartym piętrze, dzwonek nie działa, proszę głośno zawołać z dołu. Mój
ojciec ma cukrzycę i od wczoraj wieczorem nie ma insuliny. Jest bardzo zmęczony i zdezorientowany. W piwnicy się pali!
Cały korytarz jest pełen dymu, nie możemy dojść do schodów. Ogrzewanie nie działa, a mamy dziecko, 6 miesięcy. Czy w
pobliżu jest jakieś ciepłe miejsce? Od 3 w nocy z sufitu leje się woda, nie ma prądu, boję się zwarcia. Dzień dobry,
jestem pielęgniarką przy Hauptstraße 45 i potrzebuję pomocy, żeby przenieść chorą. Otrzymaliśmy Państwa wiadomość.
Karetka jest w drodze i będzie za około 20 minut. Idzie do Państwa pomocnik. Proszę otworzyć drzwi i zaświecić latarką.
Przerwa w dostawie prądu potrwa prawdopodobnie do jutra w południe. Woda pitna jest przy ratuszu i w szkole. U nas już
wszystko dobrze, nie potrzebujemy pomocy. Dziękujemy! Na skrzyżowaniu był wypadek, dwa samochody i rower, ktoś leży na
ulicy i nie odpowiada. Sąsiad z góry bije żonę, słyszę krzyki, proszę szybko przyjechać. Jestem na wózku i nie mogę
wyjść z domu, bateria respiratora wystarczy na dwie godziny. Kto może odebrać moją babcię? Mieszka sama, oficyna,
parter po prawej stronie. Mocno czuć gaz. Otworzyliśmy okna i czekamy na zewnątrz przed domem. Uwaga: proszę zostać w
domu, zamknąć okna i drzwi i włączyć radio.""",
    "vi": """Xin hãy gửi bác sĩ đến. Mẹ tôi bị trượt ngã trong phòng tắm và
không cử động được chân. Chúng tôi có năm người ở tầng bốn, chuông cửa không hoạt động, xin hãy gọi to từ dưới. Bố tôi
bị tiểu đường và từ tối hôm qua không còn insulin. Ông rất mệt và lú lẫn. Tầng hầm đang cháy! Cả hành lang đầy khói,
chúng tôi không ra được cầu thang. Lò sưởi không chạy và chúng tôi có một em bé 6 tháng tuổi. Gần đây có chỗ nào ấm
không? Từ 3 giờ sáng nước chảy từ trần nhà xuống, mất điện, tôi sợ bị chập điện. Xin chào, tôi là y tá ở số 45 đường
Hauptstraße và cần người giúp khiêng một bệnh nhân. Chúng tôi đã nhận được tin nhắn của bạn. Xe cứu thương đang trên
đường và sẽ đến trong khoảng 20 phút. Có người đang đến giúp bạn. Xin hãy mở cửa và bật đèn để họ tìm thấy bạn. Mất
điện có thể kéo dài đến trưa mai. Nước uống được phát ở tòa thị chính và ở trường học. Chúng tôi đã ổn, không cần giúp
đỡ nữa. Cảm ơn! Có tai nạn ở ngã tư, hai ô tô và một xe đạp, có người nằm trên đường và không trả lời. Hàng xóm tầng
trên đánh vợ, tôi nghe thấy tiếng la hét, xin đến nhanh. Tôi ngồi xe lăn và không ra khỏi nhà được, pin máy thở chỉ còn
hai giờ nữa. Ai có thể đón bà tôi? Bà sống một mình, nhà phía sau, tầng trệt bên phải. Có mùi khí ga rất mạnh. Chúng
tôi đã mở cửa sổ và đang đợi bên ngoài trước nhà. Chú ý: hãy ở trong nhà, đóng cửa sổ và cửa ra vào, bật đài phát
thanh.""",
}
