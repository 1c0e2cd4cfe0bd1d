"""The words that made-up names and addresses are made of.

They are part of how pseudonyms are made: to add, take or move a word changes the pseudonyms of earlier runs.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁"
    "任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫"
    "孔向常汤康施牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕"
    "单裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁房屈"
)
GIVEN = (
    "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂玲红建华文辉力志永健世广义兴良海山仁波宁贵福生龙元"
    "全国胜学祥才发武新利清飞彬富顺信子昌成康星光天达安岩中茂进林有坚和彪博诚先敬震振壮会思群豪心邦承"
    "乐绍功松善厚庆民友裕河哲江浩亮政谦亨奇固之轮翰朗伯宏言若鸣朋斌梁栋维启克伦翔旭鹏泽晨辰士以家致树"
    "炎德行时泰盛雄琛钧冠策腾楠榕风航弘淑惠珠翠雅芝玉萍月莺媛瑞凡佳嘉琼勤珍贞莉蓉眉君琴蕊薇菁梦岚苑筠"
    "柔竹霭凝晓欢霄枫芸菲寒欣滢亚宜可姬舒影荔枝巧美娥雪荣爱妹环香莲真凤洁梅琳素云妍茜秋珊莎锦黛青倩婷"
    "姣婉娴瑾颖露瑶怡婵雁蓓纨仪荷丹妮馥卿聪澜纯毓悦昭冰爽琬茗羽希飘育煜轩涵梓宇然俊熙睿昊楷煊彤桐沐瑜"
    "璇忻予泓泊汐沛淳渝渊湘溪滨澄濡灏炜烁烨焕熠燕爵牧玮珂珩琪琰"
)

FIRST_NAMES = _words("""
    Aaron Abigail Adam Adrian Agnes Alan Albert Alexander Alice Alison Amanda Amelia Amy Andrea Andrew
    Angela Anna Anthony Arthur Audrey Austin Barbara Beatrice Benjamin Bernard Beth Bianca Boris Bradley
    Brandon Brenda Brian Bridget Bruce Bruno Caleb Cameron Camilla Carl Carmen Caroline Catherine Cecilia
    Charles Charlotte Chester Christina Christopher Claire Clara Colin Connor Cora Craig Curtis Cynthia
    Daisy Daniel Daphne David Deborah Denise Dennis Derek Diana Dominic Donald Dorothy Douglas Duncan Dylan
    Edgar Edith Edward Eleanor Elena Elizabeth Ella Elliot Emily Emma Eric Erica Esther Ethan Eugene Eva
    Evan Evelyn Felix Fiona Florence Frances Frank Frederick Gabriel Gareth Gavin Geoffrey George Georgia
    Gerald Gilbert Gina Gloria Gordon Grace Graham Grant Gregory Gwendolyn Hannah Harold Harriet Harvey
    Hazel Heather Hector Heidi Helen Henry Herbert Holly Howard Hugh Ian Ingrid Irene Iris Isaac Isabel Jack
    Jacob Jacqueline James Jane Janet Jason Jean Jeffrey Jennifer Jeremy Jessica Joan Joel John Jonathan
    Joseph Josephine Joshua Joyce Judith Julia Julian June Karen Karl Katherine Keith Kelly Kenneth Kevin
    Kimberly Kirsten Laura Lauren Lawrence Leah Leon Leonard Leslie Lewis Liam Lillian Linda Lionel Lisa
    Lloyd Logan Louis Louise Lucas Lucy Luke Lydia Mabel Madeleine Marcus Margaret Maria Marian Marion Mark
    Martha Martin Mary Matilda Matthew Maureen Maurice Max Megan Melanie Melissa Michael Michelle Mildred
    Miles Miranda Mitchell Molly Monica Morgan Muriel Nancy Naomi Natalie Nathan Neil Nicholas Nicole Nigel
    Nina Noah Nora Norman Oliver Olivia Oscar Owen Pamela Patricia Patrick Paul Paula Pauline Penelope Peter
    Philip Phoebe Phyllis Rachel Ralph Raymond Rebecca Regina Rhoda Richard Rita Robert Robin Roger Roland
    Ronald Rosalind Rose Rosemary Roy Ruby Rupert Russell Ruth Ryan Sabrina Samantha Samuel Sandra Sarah
    Scott Sean Selina Sharon Sheila Shirley Sidney Simon Sophia Spencer Stanley Stella Stephen Stuart Susan
    Sylvia Tamara Teresa Terence Theodore Thomas Timothy Tracy Trevor Tristan Una Ursula Valerie Vanessa
    Vera Vernon Veronica Victor Victoria Vincent Viola Violet Virginia Vivian Walter Wanda Warren Wayne
    Wendy Wilfred William Winifred Yvonne Zachary Zoe
""")

LAST_NAMES = _words("""
    Abbott Adams Ainsworth Alden Aldridge Allen Anderson Andrews Archer Armstrong Arnold Ashby Atkins
    Atkinson Austen Bailey Baker Baldwin Ball Banks Barber Barker Barlow Barnes Barrett Barton Bateman Bates
    Baxter Beaumont Bell Bennett Benson Berry Bishop Black Blake Bolton Booth Bowen Boyd Bradley Bradshaw
    Brady Bray Brennan Brewer Bridges Briggs Brooks Brown Bryant Burgess Burke Burnett Burns Burton Butcher
    Butler Byrne Cameron Campbell Carpenter Carr Carroll Carter Cartwright Chambers Chandler Chapman Clark
    Clarke Clayton Clifford Cole Coleman Collins Connolly Conway Cook Cooper Cox Craig Crawford Cross
    Cunningham Curtis Dalton Daly Daniels Davidson Davies Davis Dawson Day Dean Dennis Dixon Doherty
    Donnelly Douglas Doyle Drake Duncan Dunn Eaton Edwards Elliott Ellis Evans Farrell Faulkner Ferguson
    Field Fisher Fitzgerald Fleming Fletcher Flynn Ford Forster Foster Fowler Fox Francis Franklin Fraser
    Freeman French Frost Fuller Gallagher Gardner Garner Gibbs Gibson Gilbert Gill Glover Goddard Goodman
    Goodwin Gordon Graham Grant Gray Green Greene Gregory Griffin Griffiths Hale Hall Hamilton Hammond
    Hampton Harding Hardy Harper Harris Harrison Hart Harvey Hawkins Hayes Haynes Henderson Henry Herbert
    Hewitt Hicks Higgins Hill Hobbs Hodges Holland Holloway Holmes Holt Hooper Hopkins Horton Houghton
    Howard Howarth Howe Howell Hudson Hughes Humphreys Hunt Hunter Hurst Hutchinson Ingram Jackson Jacobs
    James Jarvis Jenkins Jennings Johnson Johnston Jones Jordan Joyce Kay Keating Kelly Kemp Kennedy Kent
    Kerr King Kirby Knight Knowles Lamb Lambert Lane Lang Law Lawrence Lawson Leach Lee Leonard Leslie
    Lester Lewis Lindsay Little Lloyd Logan Long Lowe Lucas Lynch Lyons Macdonald Mann Manning Marsden Marsh
    Marshall Martin Mason Matthews May McCarthy McDonald McKay McKenzie Mellor Middleton Miles Miller Mills
    Mitchell Moore Moran Morgan Morris Morrison Morton Moss Mullins Murphy Murray Nash Naylor Nelson Newman
    Newton Nicholls Nicholson Nolan Norman Norris North Norton Nugent Oakley Oliver Osborne Owen Owens Page
    Palmer Parker Parkinson Parry Parsons Patterson Payne Peacock Pearce Pearson Perkins Perry Peters
    Phillips Pickering Pierce Poole Porter Potter Powell Pratt Preston Price Pritchard Pugh Quinn Ramsey
    Randall Read Reed Rees Reeves Reid Reynolds Rhodes Richards Richardson Riley Roberts Robertson Robinson
    Robson Rogers Rose Ross Rowe Rowley Russell Ryan Sanders Sanderson Saunders Savage Schofield Scott Sharp
    Shaw Shepherd Short Simmons Simpson Sinclair Skinner Slater Smart Smith Spencer Stafford Stanley Steele
    Stephens Stephenson Stevens Stevenson Stewart Stokes Stone Sullivan Sutton Swift Talbot Tate Taylor
    Thomas Thompson Thomson Thornton Todd Townsend Tucker Turnbull Turner Tyler Vaughan Vincent Wade Walker
    Wall Wallace Walsh Walters Walton Ward Warner Warren Waters Watkins Watson Watts Weaver Webb Webster
    Welch Wells West Weston Wheeler White Whitehead Whittaker Wilkins Wilkinson Williams Williamson Willis
    Wilson Winter Wood Woodward Wright Wyatt Yates York Young
""")

CITIES = _words("""
    北京市 上海市 天津市 重庆市 河北省石家庄市 河北省保定市 山西省太原市 辽宁省沈阳市 辽宁省大连市
    吉林省长春市 黑龙江省哈尔滨市 江苏省南京市 江苏省苏州市 江苏省无锡市 浙江省杭州市 浙江省宁波市
    浙江省温州市 安徽省合肥市 福建省福州市 福建省厦门市 江西省南昌市 山东省济南市 山东省青岛市 河南省郑州市
    河南省洛阳市 湖北省武汉市 湖北省宜昌市 湖南省长沙市 广东省广州市 广东省深圳市 广东省佛山市 海南省海口市
    四川省成都市 四川省绵阳市 贵州省贵阳市 云南省昆明市 陕西省西安市 甘肃省兰州市 青海省西宁市
""")

ROADS = _words("""
    人民路 解放路 中山路 建设路 和平路 新华路 文化路 胜利路 光明路 青年路 友谊路 团结路 民主路 朝阳路 长江路
    黄河路 泰山路 黄山路 花园路 公园路 学府路 科技路 工业路 滨江路 沿河路 湖滨路 东风路 前进路 红旗路 幸福路
    平安路 兴业路 育才路 迎宾路 站前路 环城路 体育路 银河路 翠竹路 梧桐路 桂花路 玉兰路 松柏路 杨柳路 枫林路
    芙蓉路 牡丹路 海棠路
""")

STREETS = _words("""
    Acorn Alder Ash Aspen Bay Beech Birch Bramble Brook Canal Cedar Chapel Cherry Chestnut Church Clover
    Copper Dale Elm Fairview Farm Fern Field Forest Garden Glen Grove Harbour Hawthorn Hazel Heath Hickory
    Hill Holly Ivy Juniper Lake Laurel Lilac Lime Linden Magnolia Maple Market Meadow Mill Oak Orchard Park
    Pine Poplar Prospect Ridge River Rose Rowan School Spring Station Sycamore Valley Walnut Willow
""")

TOWNS = _words("""
    Ashford Bedford Bridgewater Brookfield Burlington Chester Clayton Clifton Dover Easton Fairfield
    Georgetown Greenville Hamilton Kingston Lancaster Lexington Madison Manchester Marion Milford Milton
    Newport Oakland Oxford Richmond Riverside Salem Springfield Winchester
""")
