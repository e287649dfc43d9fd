"""What Mem0's fifteen categories are about: the names are Mem0's; descriptions, cues and examples are ours. Data alone."""

from __future__ import annotations

from typing import Final

DEFAULT_CATEGORIES: Final[dict[str, tuple[str, str, str]]] = {
    "personal_details": (
        "who a person is: name, age, birthday, address, phone, nationality, language, where they live, how they look",
        """
        age bilingual birthday birthplace born citizenship hair height hometown maiden nationality nickname postcode
        pronouns residence surname tall zodiac
        """,
        """
        My name is Anna and I am 34 years old.
        I live in Berlin and come from Portugal.
        People call me Max for short.
        I was born in Chicago and speak Spanish at home.
        My phone number and my e-mail address have changed.
        I moved to Vienna and live in a small flat.
        He is tall and has blond hair and blue eyes.
        My birthday is on the 4th of July
        I am originally from Brazil and speak Portuguese
        You can call me Sam
        My phone number ends with 42
        Anna's email address is anna@example.org
        I am 45 years old
        My middle name is Louise
        I am left-handed and 180 cm tall
        We moved to a flat in Hamburg
        My surname used to be Kowalski before the wedding
        I was born in Nairobi
        I have brown eyes and curly hair
        Our postcode is 10115
        I speak French and a little Arabic
        The user's legal name is Margarethe, but she goes by Greta
        I turned sixty in March
        We live at the edge of a small village in Wales
        He holds both Irish and American passports
        """,
    ),
    "family": (
        "relatives and the household: partner, children, parents, siblings, pets",
        """
        aunt baby boyfriend brother cat child children cousin custody dad daughter dog father fiance fiancé fiancée
        girlfriend godmother grandad granddaughter grandfather grandma grandmother grandpa grandparents grandson
        granny hamster husband kids kitten mom mother mum nephew niece parents parrot pet pets puppy rabbit sibling
        siblings sister son spouse stepdaughter stepfather stepmother stepson toddler twins uncle wife
        """,
        """
        My daughter Mira starts school in September.
        My husband and I have two kids and a dog.
        Her parents and her older brother live nearby.
        We took in a rabbit as a pet.
        My partner's relatives visit us at Christmas.
        My wife Carla is a vegetarian
        My son just turned five
        My parents live in Ohio
        Our dog Bruno is afraid of thunder
        My sister is expecting a baby
        Grandma bakes apple pie every Sunday
        My uncle taught me to fish
        The twins have their own room now
        My cousin visits us at Easter
        My grandfather died last autumn
        My stepfather repairs watches
        The baby slept through the night for the first time
        We adopted a kitten from the shelter
        My in-laws arrive on Saturday
        My niece wants to be a vet
        My daughter has trouble with maths at school
        Dad is moving in with us after his fall
        My ex-wife and I share custody of our two boys
        The puppy chews on everything in the living room
        """,
    ),
    "professional_details": (
        "job, employer, career, colleagues, education, skills, projects at work",
        """
        accountant accounting analyst apprentice apprenticeship architect bachelor boss career carpenter ceo
        certificate client clients colleague college company consultant contractor coworker customer department
        designer developer diploma electrician employee employer engineer entrepreneur freelance freelancer hire
        intern internship journalist lawyer manager mba nurse office overtime payroll pharmacist phd plumber
        profession professor promoted promotion recruiter researcher salary sales scientist shift startup studied
        teacher thesis university wage workplace
        """,
        """
        I work as a software engineer at a startup.
        She studied law and became a partner at her firm.
        He leads a department of twenty people.
        My job interview for the sales position is next week.
        I have a master's degree in economics.
        My boss wants the report by the end of the quarter.
        I own a small company and employ five people.
        I started as a data analyst at Siemens last month
        My boss wants the quarterly report by Friday
        I am looking for a new position in marketing
        She has a PhD in chemistry
        I run my own bakery with three employees
        Our team meets every Monday at nine
        I manage a team of eight people
        My contract ends in December
        She applied for a position at the ministry
        I work night shifts at the airport
        My salary was raised by five percent
        She runs the accounting department
        I passed the bar exam and can practise now
        We are hiring two designers
        I teach physics at a secondary school
        My manager approved the training budget
        After ten years in sales I want to become a carpenter
        The client asked us to move the launch to October
        """,
    ),
    "sports": (
        "sports played or followed, training, matches, teams, races",
        """
        archery athlete athletics badminton baseball basketball bouldering championship climbing coach cricket
        cycling darts deadlift dumbbell fencing fitness football goalkeeper golf gym handball hockey jogging judo
        karate kayak league marathon nba nfl olympics padel pilates referee rugby sailing semifinal skiing snooker
        snowboard soccer sport sports squash squats stadium surfing swim tennis tournament treadmill triathlon
        volleyball workout wrestling yoga
        """,
        """
        I run a marathon every spring.
        He plays football for the local team.
        I go to the gym and lift weights before work.
        Our club won the match in the last minute.
        She trains for a triathlon and swims every day.
        I play tennis twice a week
        My favourite football club is Arsenal
        I am training for a half marathon
        He tore a ligament while skiing
        She swims every morning before work
        I'd like to learn rock climbing
        I lift weights on Mondays
        He cycled from Paris to Nice
        Our volleyball club needs a trainer
        I go bouldering with Tim on Thursdays
        The match ended three to one
        He rows for his university
        My personal best over ten kilometres is 44 minutes
        I bench press ninety kilos now
        Her team lost in the semifinal after penalties
        I joined a running group in the park
        """,
    ),
    "travel": (
        "trips, flights, hotels, holidays, places visited or to be visited",
        """
        abroad airbnb airline airport backpacking beach boarding camped camping campsite cruise ferry flight hiked
        hitchhike holiday hostel hotel island itinerary jetlag layover luggage motorhome neighbourhood passport
        resort roadtrip roaming safari sightseeing souvenir suitcase tourism tourist travel traveled trip vacation
        visa
        """,
        """
        We fly to Lisbon in May and stay in a hotel near the river.
        I want to visit Japan next year.
        The train to Paris leaves in the morning.
        Last summer we drove along the coast of Italy.
        We went hiking in the mountains on our holiday.
        We are going to Japan in April
        My flight to Boston was cancelled
        I always book aisle seats on planes
        Last summer we hiked through the Dolomites
        I need a visa for India
        The hotel in Rome had a wonderful view
        The train to Prague leaves at seven
        We camped in Norway for two weeks
        My passport expires next year
        We booked a cabin by a lake in Sweden
        I lost my suitcase in Madrid
        Next month I drive along the coast of Croatia
        They prefer trains to planes when they go abroad
        We are planning two weeks in Vietnam and Thailand
        I get travel sick on buses
        Which neighbourhood in Tokyo should we stay in?
        The ferry to the island goes twice a day
        """,
    ),
    "food": (
        "eating and drinking: dishes, recipes, restaurants, diets, tastes",
        """
        apple bacon bake banana barbecue beans beef beer bread breakfast brunch burger butter cake calories cheese
        chicken chocolate cocktail coffee cook cookie cookies curry dessert diet dinner dish dishes dumplings eat
        egg eggs fish fruit garlic gluten honey juice kebab keto kitchen lactose lasagna lentil lunch mango meat
        mushroom mushrooms noodles nuts omelette onion oven pancake pancakes pasta peanut peanuts pizza pork potato
        potatoes ramen recipe restaurant rice salad sandwich smoothie snack soup spicy steak strawberry sugar sushi
        taco tea tofu tomato tomatoes vegan vegetables vegetarian whisky wine yoghurt
        """,
        """
        I love spicy Thai food and cook every evening.
        She drinks her coffee without sugar.
        We had grilled fish with rice at a restaurant.
        I do not like onions and garlic.
        He bakes bread and pancakes at the weekend.
        I don't eat pork
        My favourite dish is lasagna
        I drink two cups of green tea a day
        We ordered sushi for dinner
        He is trying a keto diet
        I burned the pancakes this morning
        I hate coriander
        The restaurant around the corner serves great ramen
        Breakfast is the most important meal to me
        I like my coffee black
        I am on a gluten-free diet
        Could you suggest a wine for grilled salmon?
        She bakes sourdough every weekend
        Mushrooms make me sick
        We usually have soup in the evening
        I could live on mango and papaya
        My son only eats plain noodles
        Please find me a recipe for lentil curry without coconut
        I gave up sugar in January
        """,
    ),
    "music": (
        "music listened to or made: songs, bands, concerts, instruments",
        """
        accordion album band bass bassist blues cello choir chord chords clarinet composer concert dj drummer drums
        flute guitar harmonica harp jazz karaoke keyboardist lyrics melody music musician opera orchestra piano
        playlist punk rap reggae saxophone sing singer song soundtrack spotify symphony techno trumpet ukulele vinyl
        violin
        """,
        """
        I play the guitar in a band.
        His favourite album is by a jazz pianist.
        I listen to classical music while I work.
        The band plays a concert tonight.
        I have been playing the violin for ten years
        I listen to heavy metal when I work
        Taylor Swift is my favourite artist
        We have tickets for the jazz festival
        She sings in a choir
        My piano teacher is strict
        I collect vinyl records from the sixties
        The orchestra plays Mahler tonight
        I play bass in a punk group
        Bach is what I listen to while studying
        Her new single was released on Friday
        My vinyl player needs a new needle
        I practise scales on the saxophone every morning
        The soundtrack of that game is stuck in my head
        """,
    ),
    "health": (
        "health, illness, allergies, medication, doctors, sleep, mental wellbeing",
        """
        adhd allergic allergy ambulance antibiotics anxiety anxious arthritis asthma autism bandage blood burnout
        cancer cardiologist celiac cholesterol clinic cough counsellor dentist depression dermatologist diabetes
        diagnosed doctor eczema epilepsy fever flu fracture glasses headache hormone hospital hurts ibuprofen
        infection injured injury insomnia insulin intolerant medication medicine menopause migraine optician
        overweight pain panic paracetamol pharmacy physician physiotherapist pills pregnancy pregnant psychiatrist
        psychologist sleep smoking sprain surgery symptoms tablets therapist therapy vaccine vitamin vitamins weight
        wheelchair
        """,
        """
        I am allergic to peanuts.
        He takes medication for high blood pressure.
        I sleep badly and feel stressed.
        She broke her leg and had an operation.
        My back hurts, so I see a doctor.
        My father has diabetes
        I take ibuprofen for my back pain
        I sleep badly when I am stressed
        I have an appointment with the dentist tomorrow
        She is recovering from knee surgery
        I am lactose intolerant
        I was diagnosed with asthma as a child
        My therapist suggested daily walks
        The doctor told me to avoid salt
        I have a pollen allergy
        My blood pressure is too high
        I see a physiotherapist for my knee
        He quit smoking two years ago
        I feel anxious before exams
        I have a cold and lost my voice
        My cholesterol came down since I take the new tablets
        She has been seeing a counsellor about her grief
        I wear hearing aids in both ears
        """,
    ),
    "technology": (
        "software, hardware, programming, tools, devices, systems and how they are set up",
        """
        android angular ansible api app aws azure backend bash battery bluetooth bug build cache cargo chatgpt ci
        cli cluster cmake code commit compiler computer cpu crash cron csv database dependencies dependency deploy
        django docker editor elasticsearch endpoint fastapi firewall flask framework frontend gcp git github golang
        gpu gradle grafana graphql hardware haskell iphone java javascript json kafka kotlin kubernetes laptop
        latency linter linux llm lockfile macos merge microservice migration mongodb monitor mysql nginx npm oauth
        openai phone php pip postgres powershell printer prometheus pytest python query queue rabbitmq rails rebase
        redis regex repo repository router ruby rust scala schema script sdk server shell smartphone software sql
        sqlite ssd svelte swift terraform throughput timeout token typecheck typescript ubuntu vim vpn vue webhook
        webpack wifi yaml yarn
        """,
        """
        The billing service runs on Postgres 15.
        We use TypeScript with strict mode and deploy on Tuesdays.
        The unit tests fail in the build pipeline.
        My new laptop has a fast processor.
        The function parses the configuration file and returns an error.
        Our backend is written in Go and uses Redis for caching
        The tests run with pytest on every push
        I use Arch Linux on my laptop
        The API returns a 404 when the user is missing
        We migrated from MySQL to Postgres last week
        My phone is a Pixel 8
        The function parse_config is in utils.py
        Use four spaces for indentation in this repository
        The frontend is written in React
        We store sessions in Redis
        My phone runs out of battery quickly
        Our CI takes twenty minutes
        The app crashes when I open the settings
        Please write the script in Rust instead of Python
        Our staging cluster runs on Kubernetes 1.29
        My laptop has 32 gigabytes of memory
        The nightly job failed with a timeout
        The endpoint /v1/users must answer within 200 ms
        We pin our dependencies with a lock file
        My router drops the connection every evening
        The repository uses trunk-based development and squash merges
        Error handling lives in errors.py and nowhere else
        """,
    ),
    "hobbies": (
        "what somebody does for pleasure in their free time: crafts, games, collecting, reading, gardening",
        """
        aquarium astronomy beekeeping bees birdwatching bonsai calligraphy chess crochet crossword diy drone drones
        dungeons embroidery gardening geocaching hobby juggling knitting lego origami paints photography pottery
        puzzle quilting scrapbook scrapbooking sewing stamps sudoku telescope woodworking
        """,
        """
        In my free time I paint watercolours.
        He collects stamps and plays chess.
        She builds and repairs old radios as a hobby.
        We play card games with friends at the weekend.
        I enjoy growing flowers and vegetables in my garden.
        I collect old coins
        I enjoy gardening and grow my own tomatoes
        He builds model trains in the basement
        I love solving crossword puzzles
        She paints landscapes in oil
        I knit scarves for my friends
        He spends his evenings on crossword puzzles
        I photograph birds at the lake
        On rainy days I do jigsaw puzzles
        He restores old motorbikes in his garage
        We play board games every Friday evening
        I spend my Sundays flying drones
        She keeps bees on the roof of her house
        I am learning calligraphy
        """,
    ),
    "fashion": (
        "clothes, shoes, style, brands worn, sizes",
        """
        blouse cardigan clothes clothing coat denim dress earrings fashion gloves haircut handbag hat hoodie jacket
        jeans jewellery jewelry leather lipstick makeup necklace outfit perfume piercing pyjamas sandals scarf
        secondhand shirt shoe silk skirt sneakers socks stylish sweater tattoo trousers underwear wardrobe wear
        wears wore
        """,
        """
        I wear mostly black clothes and white sneakers.
        Her shoe size is 38.
        He bought a grey suit and a silk tie.
        She likes vintage leather jackets.
        I bought a blue linen suit for the summer
        My shoe size is 43
        I love vintage leather jackets
        She never wears high heels
        I always wear a hat
        These jeans are too tight
        I need a warm coat for the winter
        Silver earrings suit her best
        He wears a size 42 shirt
        I only buy second-hand clothes
        My nose ring is made of gold
        """,
    ),
    "entertainment": (
        "films, series, books, games, theatre, shows watched or read",
        """
        actor actress anime audiobook audiobooks bestseller blockbuster cinema comedian comedians comedy comic
        comics disney documentary episode film gamer gaming hbo manga marvel minecraft movie musical netflix
        nintendo novel playstation podcast pokemon romcom sequel sitcom streaming television theater theatre
        thriller trilogy tv twitch videogame xbox youtube zelda
        """,
        """
        We watched the new science fiction series on Friday.
        Her favourite film is an old western.
        I am reading a novel by a Russian author.
        He plays video games on his console.
        We saw a play at the theatre.
        We watched The Godfather last night
        I'm reading a novel by Murakami
        He plays Zelda on his Nintendo Switch
        My favourite series is Breaking Bad
        I listen to true crime podcasts
        We saw the musical on Broadway
        My favourite author is Ursula Le Guin
        I binge-watched the whole show
        I have seen every Hitchcock movie
        The last episode made me cry
        I borrowed a fantasy novel from the library
        I cannot wait for the next season of Severance
        I finished the third book of the trilogy on the plane
        Stand-up comedians from Ireland make me laugh most
        """,
    ),
    "milestones": (
        "events that mark a life: weddings, births, graduations, moves, new jobs, anniversaries",
        """
        anniversary baptism christening died divorced engaged engagement funeral graduate graduation married
        naturalised newborn proposal proposed retired retirement wedding
        """,
        """
        We got married in June.
        She graduated from university last week.
        Our first child was born in spring.
        We bought our first house and moved in.
        After forty years he retired.
        I passed the exam at last.
        We got engaged on New Year's Eve
        I graduated from Stanford in 2012
        Our daughter was born in 2020
        We bought our first house last month
        She retired after forty years at the post office
        They celebrated their tenth anniversary
        We celebrated our silver wedding in May
        I finally got my driving licence
        My brother finished his master's degree yesterday
        We signed the contract for our house today
        Grandad passed away a year ago
        I became a citizen last autumn
        """,
    ),
    "user_preferences": (
        "what somebody likes, prefers, wants or dislikes, and how they want things done or answered",
        """
        always brief bullet concise dislike emojis favorite favourite formal hate informal never newsletters please
        prefer preference remind reminder
        """,
        """
        I prefer dark mode.
        Please answer in short sentences.
        I would rather not be called in the evening.
        Do not use long words when you write to me.
        I like it quiet and warm.
        I prefer to be contacted by email
        Please keep your answers short
        I don't like being called before ten
        Always show prices in euros
        I like the window seat
        Dark mode is easier on my eyes
        I would rather have the window open
        Do not use emojis when you answer
        Never call me by my first name
        I would like summaries as bullet points
        I can't stand loud music in restaurants
        Metric units, please
        Explain things to me with examples from everyday life
        I would like to be reminded the evening before
        Do not send me newsletters any more
        Mornings suit me better for appointments
        """,
    ),
    "misc": ("", "", ""),
}
"""By name: a description, cues, and examples, one a line."""
