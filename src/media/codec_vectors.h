// Configuration records and access units of real encoders, in hexadecimal, for the tests of this folder. The
// command above each made it (FFmpeg 5.1, x264 0.164, x265 3.5, libaom 3.6, SVT-AV1 1.4, rav1e 0.5,
// libvpx 1.12, libopus 1.3); what is expected of it was checked with ffprobe.
#pragma once

#include <string_view>

#include "base/bytes.h"

namespace stoa::media::vectors {

inline Buffer from_hex(std::string_view hex) {
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  Buffer bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return bytes;
}
inline SharedBytes shared(std::string_view hex) { return SharedBytes(from_hex(hex)); }

// ffmpeg -f lavfi -i "color=c=gray:s=64x48:r=30000/1001:d=0.4" -c:v libx264 -preset veryfast -bf 2 -g 10
// -pix_fmt yuv420p -bsf:v filter_units=remove_types=6 out.mp4
inline constexpr std::string_view kH264HighConfig =
    "0164000affe100166764000aacd9447b011000003e90000ea600f122596001000468ef8fcbfdf8f800";
inline constexpr std::string_view kH264HighFirst =
    "0000001d6588840037fffa7f5fe3ffefefb813a9e988b50433f0830541064e3b61";
inline constexpr std::string_view kH264HighSecond = "0000000a419a2318867ffe9efc80";
inline constexpr std::string_view kH264HighThird = "00000008419e414215ff14b1";
inline constexpr std::string_view kH264HighFourth = "00000008019e624427ff1810";

// ffmpeg -f lavfi -i "testsrc2=s=1920x1080:r=50:d=0.1" -c:v libx264 -preset ultrafast -pix_fmt yuv420p
// out.mp4
inline constexpr std::string_view kH264Cropped1080Config =
    "0142c02affe100186742c02ada01e0089f970110000003001000000640f1832a01000468ce0fc8";

// ffmpeg -f lavfi -i "testsrc2=s=62x46:r=25:d=0.2" -c:v libx264 -profile:v baseline -pix_fmt yuv420p out.mp4
inline constexpr std::string_view kH264BaselineConfig =
    "0142c00affe100186742c00ad9047eab011000000300100000030320f122648001000568cb83cb20";

// ffmpeg -f lavfi -i "testsrc2=s=1920x1080:r=25:d=0.2" -c:v libx264 -preset ultrafast -profile:v main -flags
// +ildct+ilme -x264opts tff=1 -pix_fmt yuv420p out.mp4
inline constexpr std::string_view kH264InterlacedConfig =
    "014d4028ffe10019674d4028f403c0227ef011000003000100000300321f162ea001000468de0fc8";

// ffmpeg -f lavfi -i "testsrc2=s=64x48:r=30000/1001:d=0.1" -c:v libx264 -pix_fmt yuv420p10le out.mp4
inline constexpr std::string_view kH264High10Config =
    "016e000affe10017676e000aa6cd9447b01100000303e90000ea600f12259601000668ebe3cb22c0fdfafa00";

// ffmpeg -f lavfi -i "testsrc2=s=64x48:r=24:d=0.1" -c:v libx264 -pix_fmt yuv422p out.mp4
inline constexpr std::string_view kH264High422Config =
    "017a000affe10018677a000abcd9447b011000000300100000030300f122596001000668ebe3cb22c0fef8f800";

// ffmpeg -f lavfi -i "testsrc2=s=80x60:r=24:d=0.1" -vf format=yuv444p,crop=65:49:exact=1,setsar=16/15 -c:v
// libx264 -x264opts cqm=jvt out.mp4
inline constexpr std::string_view kH264High444Config =
    "01f4000affe1001f67f4000a919b28a4f08421ff80080007880000030008000003018078912cb001000868ebe3c44c000440"
    "fff8f800";

// ffmpeg -f lavfi -i "testsrc2=s=64x48:r=60000/1001:d=0.1" -vf setsar=8/9 -c:v libx264 -pix_fmt yuv420p
// -color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range pc out.mp4
inline constexpr std::string_view kH264ColourConfig =
    "0164000affe1001d6764000aacd9447bff000800096e020202800001f48000ea60078912cb01000668ebe3cb22c0fdf8f800";

// ffmpeg -f lavfi -i "testsrc2=s=64x48:r=1000:d=0.01" -c:v libx264 -pix_fmt yuv420p -x264-params force-cfr=0
// out.mp4
inline constexpr std::string_view kH264VariableRateConfig =
    "01640015ffe1001767640015acd9447b0110000003001000007d00f162d96001000668ebe3cb22c0fdf8f800";

// ffmpeg -f lavfi -i "color=c=gray:s=64x48:r=25:d=0.4" -c:v libx264 -g 3 -bf 0 -pix_fmt yuv420p -x264-params
// repeat-headers=1:aud=1 out.mp4
inline constexpr std::string_view kH264InBandConfig =
    "0164000affe100166764000aacb208f60220000003002000000641e244c901000668ebc3cb22c0fdf8f800";
inline constexpr std::string_view kH264InBandFirst =
    "0000026d0605ffff69dc45e9bde6d948b7962cd820d923eeef78323634202d20636f72652031363420723330393520626165"
    "65343030202d20482e3236342f4d5045472d342041564320636f646563202d20436f70796c65667420323030332d32303232"
    "202d20687474703a2f2f7777772e766964656f6c616e2e6f72672f783236342e68746d6c202d206f7074696f6e733a206361"
    "6261633d31207265663d33206465626c6f636b3d313a303a3020616e616c7973653d3078333a3078313133206d653d686578"
    "207375626d653d37207073793d31207073795f72643d312e30303a302e3030206d697865645f7265663d31206d655f72616e"
    "67653d3136206368726f6d615f6d653d31207472656c6c69733d31203878386463743d312063716d3d3020646561647a6f6e"
    "653d32312c313120666173745f70736b69703d31206368726f6d615f71705f6f66667365743d2d3220746872656164733d31"
    "206c6f6f6b61686561645f746872656164733d3120736c696365645f746872656164733d30206e723d3020646563696d6174"
    "653d3120696e7465726c616365643d3020626c757261795f636f6d7061743d3020636f6e73747261696e65645f696e747261"
    "3d3020626672616d65733d3020776569676874703d32206b6579696e743d33206b6579696e745f6d696e3d31207363656e65"
    "6375743d343020696e7472615f726566726573683d302072635f6c6f6f6b61686561643d332072633d637266206d62747265"
    "653d31206372663d32332e302071636f6d703d302e36302071706d696e3d302071706d61783d3639207170737465703d3420"
    "69705f726174696f3d312e34302061713d313a312e30300080000000020910000000166764000aacb208f602200000030020"
    "00000641e244c90000000668ebc3cb22c00000026d0605ffff69dc45e9bde6d948b7962cd820d923eeef78323634202d2063"
    "6f7265203136342072333039352062616565343030202d20482e3236342f4d5045472d342041564320636f646563202d2043"
    "6f70796c65667420323030332d32303232202d20687474703a2f2f7777772e766964656f6c616e2e6f72672f783236342e68"
    "746d6c202d206f7074696f6e733a2063616261633d31207265663d33206465626c6f636b3d313a303a3020616e616c797365"
    "3d3078333a3078313133206d653d686578207375626d653d37207073793d31207073795f72643d312e30303a302e3030206d"
    "697865645f7265663d31206d655f72616e67653d3136206368726f6d615f6d653d31207472656c6c69733d31203878386463"
    "743d312063716d3d3020646561647a6f6e653d32312c313120666173745f70736b69703d31206368726f6d615f71705f6f66"
    "667365743d2d3220746872656164733d31206c6f6f6b61686561645f746872656164733d3120736c696365645f7468726561"
    "64733d30206e723d3020646563696d6174653d3120696e7465726c616365643d3020626c757261795f636f6d7061743d3020"
    "636f6e73747261696e65645f696e7472613d3020626672616d65733d3020776569676874703d32206b6579696e743d33206b"
    "6579696e745f6d696e3d31207363656e656375743d343020696e7472615f726566726573683d302072635f6c6f6f6b616865"
    "61643d332072633d637266206d62747265653d31206372663d32332e302071636f6d703d302e36302071706d696e3d302071"
    "706d61783d3639207170737465703d342069705f726174696f3d312e34302061713d313a312e303000800000001a6588840c"
    "fffef6ecbe07cd425c44b31699fbf791036454824981";
inline constexpr std::string_view kH264InBandSecond = "00000002093000000008419a3b10bffe8dc3";
inline constexpr std::string_view kH264InBandThird =
    "000000020910000000166764000aacb208f60220000003002000000641e244c90000000668ebc3cb22c00000001a65888203"
    "bffef74ebf0209ca80e495c2baa0ee82b629d3ca9b77";

// ffmpeg -f lavfi -i "color=c=gray:s=80x48:r=25:d=0.4" -c:v libx264 -g 3 -bf 0 -pix_fmt yuv420p -x264-params
// repeat-headers=1:aud=1 -bsf:v filter_units=remove_types=6 out.mp4
inline constexpr std::string_view kH264OtherSizeConfig =
    "0164000affe100166764000aacb20af60220000003002000000641e244c901000668ebc3cb22c0fdf8f800";
inline constexpr std::string_view kH264OtherSizeFirst =
    "000000020910000000166764000aacb20af60220000003002000000641e244c90000000668ebc3cb22c00000001c6588840c"
    "fffef6ecbe07cd425c44b3176906e74d40937ba86bb94571";

// ffmpeg -f lavfi -i "testsrc2=s=64x48:r=25:d=0.6" -c:v libx264 -crf 51 -g 5 -pix_fmt yuv420p -x264-params
// open-gop=1:keyint=5:bframes=2:scenecut=0 out.mp4
inline constexpr std::string_view kH264OpenGopConfig =
    "0164000affe100186764000aacd9447b011000000300100000030320f122596001000668ebe0652c8bfdf8f800";
inline constexpr std::string_view kH264OpenGopRecoveryPoint =
    "00000005060601c4800000006b4188994f18406c9457ccfb83ce8998f7adc475b108dbc7634e0ec35a2211432d194cddae7c"
    "95b77f7183d65f2cde3e9f60664b4dcab67df1bc9ff770fe5d8fdb77436ecef512ed0bfd8826fe62de4410ed35dc655674d1"
    "6b411d0351139d59564b7c048e45eec02760c731";

// ffmpeg -f lavfi -i "color=c=gray:s=64x48:r=30:d=0.4" -c:v libx265 -g 4 -pix_fmt yuv420p -tag:v hvc1
// -x265-params info=0:bframes=2 out.mp4
inline constexpr std::string_view kHevcMainConfig =
    "0101600000009000000000001ef000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003001e95"
    "9009a10001002942010101600000030090000003000003001ea020831659592e4caf016808000003000800000300f040a200"
    "0100064401c173d089";
inline constexpr std::string_view kHevcMainFirst = "0000000e2801af0860f125c3eec70c132480";
inline constexpr std::string_view kHevcMainSecond = "0000000c0201d0195f84318410fa9274";
inline constexpr std::string_view kHevcMainCra = "000000112a01ac104d271d80ee2557f5debe6ad960";

// ffmpeg -f lavfi -i "testsrc2=s=1920x1080:r=60000/1001:d=0.05" -c:v libx265 -preset ultrafast -pix_fmt
// yuv420p10le -tag:v hvc1 -x265-params
// info=0:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc out.mp4
inline constexpr std::string_view kHevcMain10Config =
    "0102200000009000000000007bf000fcfdfafa00000f03a00001001840010c01ffff02200000030090000003000003007b95"
    "9409a10001002e42010102200000030090000003000003007ba003c0801107cad965654a4c2f016a1220120800001f480007"
    "530040a2000100064401c073c189";

// ffmpeg -f lavfi -i "color=c=gray:s=70x50:r=25:d=0.5" -c:v libx265 -pix_fmt yuv420p -tag:v hvc1 -x265-params
// info=0:repeat-headers=1:keyint=5:aud=1:open-gop=0:scaling-list=default out.mp4
inline constexpr std::string_view kHevcInBandConfig =
    "0101600000009000000000001ef000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003001e95"
    "9809a10001002a42010101600000030090000003000003001ea024839d4996566b9395e02d010000030001000003001908a2"
    "000100064401c173d189";
inline constexpr std::string_view kHevcInBandFirst =
    "000000034601100000001840010c01ffff01600000030090000003000003001e9598090000002a4201010160000003009000"
    "0003000003001ea024839d4996566b9395e02d010000030001000003001908000000064401c173d189000000172801af1d44"
    "78ee2473ebbd7bd36da88be15869f02157f0";
inline constexpr std::string_view kHevcInBandSecond =
    "00000003460130000000100201d02149e10c63a950f97b50a7d3a0";
inline constexpr std::string_view kHevcInBandThird =
    "000000034601100000001840010c01ffff01600000030090000003000003001e9598090000002a4201010160000003009000"
    "0003000003001ea024839d4996566b9395e02d010000030001000003001908000000064401c173d189000000182801af1844"
    "88ee2365f88b1d249620a87679a3ec600f29a8";

// ffmpeg -f lavfi -i "testsrc2=s=64x64:r=24:d=0.1" -vf setsar=4/3 -c:v libx265 -pix_fmt yuv422p12le -tag:v
// hvc1 -x265-params info=0 out.mp4
inline constexpr std::string_view kHevc422Config =
    "0104080000009908000000001ef000fcfefcfc00000f03a00001001740010c01ffff040800000300990800000300001e9598"
    "09a100010028420101040800000300990800000300001eb02081045296566924caf0e68080000003008000000c04a2000100"
    "074401c172b42240";

// ffmpeg -f lavfi -i "testsrc2=s=130x70:r=50:d=0.2" -c:v libx265 -pix_fmt yuv420p10le -tag:v hvc1
// -x265-params
// info=0:transfer=arib-std-b67:colorprim=bt2020:colormatrix=bt2020nc:temporal-layers=2:high-tier=1:level-idc=5.1
// out.mp4
inline constexpr std::string_view kHevcHighTierConfig =
    "01222000000090000000000099f000fcfdfafa00000f03a00001001840010c01ffff22200000030090000003000003009995"
    "9809a10001002d420101222000000300900000030000030099a0112049c94d96566924caf016a12241208000000300800000"
    "1904a2000100074401c172b46240";

// ffmpeg -f lavfi -i "color=c=gray:s=66x50:r=24000/1001:d=0.4" -c:v libaom-av1 -cpu-used 8 -g 5
// -lag-in-frames 0 -pix_fmt yuv420p out.mp4
inline constexpr std::string_view kAv1MainConfig = "81000c000a0a000000032c1c4daf9004";
inline constexpr std::string_view kAv1MainFirst = "0a0a000000032c1c4daf9004320e10008800000100004008fae71b80";
inline constexpr std::string_view kAv1MainSecond = "32153003808000004694400001200010009ca75733e2d8";
inline constexpr std::string_view kAv1MainThird = "0a0a000000032c1c4daf9004320d10008940000100000000ecd460";

// ffmpeg -f lavfi -i "testsrc2=s=66x82:r=30:d=0.1" -c:v libaom-av1 -cpu-used 8 -pix_fmt yuv420p10le
// -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc out.mp4
inline constexpr std::string_view kAv1Main10Config = "81004c000a0d00000003341a26d7ca84880482";

// ffmpeg -f lavfi -i "testsrc2=s=64x48:r=25:d=0.1" -c:v libaom-av1 -cpu-used 8 -pix_fmt yuv444p out.mp4
inline constexpr std::string_view kAv1HighConfig = "812000000a0a20000002aff79b5f2040";

// ffmpeg -f lavfi -i "testsrc2=s=64x48:r=25:d=0.1" -c:v libaom-av1 -cpu-used 8 -pix_fmt yuv422p10le out.mp4
inline constexpr std::string_view kAv1ProfessionalConfig = "814048000a0a40000002aff79b5f2810";

// ffmpeg -f lavfi -i "testsrc2=s=64x48:r=25:d=0.1" -c:v libaom-av1 -cpu-used 8 -pix_fmt gray out.mp4
inline constexpr std::string_view kAv1GrayConfig = "81001c000a0a00000002aff79b5f2540";

// ffmpeg -f lavfi -i "testsrc2=s=64x48:r=25:d=0.1" -c:v libaom-av1 -cpu-used 8 -pix_fmt gbrp out.mp4
inline constexpr std::string_view kAv1RgbConfig = "812000000a0d20000002aff79b5f2404340080";

// ffmpeg -f lavfi -i "color=c=gray:s=64x64:r=30:d=0.2" -c:v libsvtav1 -preset 12 -pix_fmt yuv420p out.mp4
inline constexpr std::string_view kAv1SvtConfig = "81000c000a0a00000002afff805f0008";
inline constexpr std::string_view kAv1SvtFirst = "0a0a00000002afff9f7f2008320c1000b2020000100020008b80";
inline constexpr std::string_view kAv1SvtSecond =
    "3211280400249249198b040000400030009c103211280201049200118e000001000180009b7032113003080924db23240000"
    "02000300009640";

// ffmpeg -f lavfi -i "color=c=gray:s=64x48:r=25:d=0.1" -c:v librav1e -speed 10 -rav1e-params
// enable_timing_info=true -pix_fmt yuv420p out.mp4
inline constexpr std::string_view kAv1TimingConfig =
    "811f0c000a1604000000040000006700001f2aff78842a2040404280";
inline constexpr std::string_view kAv1TimingFirst =
    "0a1604000000040000006700001f2aff78842a2040404280321e10029f2389faede3600010a80fac00000000000041041010"
    "4110a84a87c0";

// ffmpeg -f lavfi -i "color=c=gray:s=66x50:r=30:d=0.4" -c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 4
// -pix_fmt yuv420p out.mp4
inline constexpr std::string_view kVp9Config = "01000000000a820202020000";
inline constexpr std::string_view kVp9First =
    "8249834200041003160638241c184a00002040006b38f7a69b004fdd288d4f027024119a00";
inline constexpr std::string_view kVp9Second = "860040929c48500000037000005bca7740";
inline constexpr std::string_view kVp9Third =
    "8249834200041003160638241c184a00002040006b38f7a69b004fdd288d4f027024119a00";

// ffmpeg -f lavfi -i "color=c=gray:s=80x50:r=30:d=0.1" -c:v libvpx-vp9 -cpu-used 8 -deadline realtime
// -pix_fmt yuv420p out.mp4
inline constexpr std::string_view kVp9OtherSizeConfig = "01000000000a820202020000";
inline constexpr std::string_view kVp9OtherSizeFirst =
    "824983420004f003160638241c184a00002040006b38f7a69b004fdd288d4f026e462780";

// ffmpeg -f lavfi -i "color=c=gray:s=64x48:r=30:d=0.1" -c:v libvpx-vp9 -pix_fmt gbrp out.mp4
inline constexpr std::string_view kVp9RgbConfig = "01000000010a870202000000";
inline constexpr std::string_view kVp9RgbFirst = "a2498342e003f002f60038241c184a0000306000004100";

// ffmpeg -f lavfi -i "color=c=gray:s=64x48:r=30:d=0.1" -c:v libvpx-vp9 -pix_fmt yuv420p10le -color_primaries
// bt2020 -color_trc arib-std-b67 -colorspace bt2020nc out.mp4
inline constexpr std::string_view kVp9HdrConfig = "01000000020aa20912090000";
inline constexpr std::string_view kVp9HdrFirst = "924983425001f8017b001c120e0c2c00001860000013b818000000";

// ffmpeg -f lavfi -i "color=c=gray:s=64x48:r=30:d=0.1" -c:v libvpx-vp9 -pix_fmt yuv422p12le out.mp4
inline constexpr std::string_view kVp9Profile3Config = "01000000030ac40202020000";
inline constexpr std::string_view kVp9Profile3First =
    "b124c1a142001f8017b001c120e0c2e000018060000013b818000000";

// ffmpeg -f lavfi -i "sine=f=440:r=48000:d=0.2" -c:a aac -ac 2 -b:a 32k out.mp4
inline constexpr std::string_view kAacStereoConfig = "119056e500";
inline constexpr std::string_view kAacStereoFirst =
    "de02004c61766335392e33372e31303000424aaa58313d6ae75e3cddea6a5c8bb0104414996a8b5f268609a69b2f1aaaabe5"
    "34d978f1e3c7e59668a2e3c78fcb2e58a2e34a355ab9d78f377a9a9722ec000000000380";
inline constexpr std::string_view kAacStereoSecond =
    "21456cfffffcc5929646592965237faf5c78ff5fdfceafff8fdfcebdbffa7e3ce86d4ecdbae63306aa4eab3b9a5bd14a74c9"
    "595a2c3b1fcb65ff96c11468086de99048289e775d6988e6ab11086267ca267ca2612a1cb09f80f38b381213303468d1adfe"
    "bd71e3fd7f7f3abffe3f7f3af6ffe9f8f3a00000000001c0";

// ffmpeg -f lavfi -i "sine=r=44100:d=0.1" -c:a aac -ac 1 out.mp4
inline constexpr std::string_view kAacMonoConfig = "120856e500";

// ffmpeg -f lavfi -i "sine=r=48000:d=0.1" -c:a aac -ac 6 out.mp4
inline constexpr std::string_view kAac51Config = "11b056e500";

// ffmpeg -f lavfi -i "sine=r=48000:d=0.1" -c:a aac -ar 96000 out.mp4
inline constexpr std::string_view kAac96kConfig = "100856e500";

// ffmpeg -f lavfi -i "sine=r=48000:d=0.1" -af pan=hexagonal|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0 -c:a aac
// out.mp4
inline constexpr std::string_view kAacProgramConfigConfig =
    "118004c808002008840d4c61766335392e33372e31303056e500";

// ffmpeg -f lavfi -i "sine=r=48000:d=0.1" -c:a libopus -ac 2 -b:a 12k out.mp4
inline constexpr std::string_view kOpusStereoConfig = "000201380000bb80000000";
inline constexpr std::string_view kOpusStereoFirst =
    "4881d45d6c56b7f40002078df2649c6a91304467f7b9207b291dff8a84a94a500dc99dd2d87c16f3334f786b2e23e3f3ee37"
    "3892c820d0";
inline constexpr std::string_view kOpusStereoSecond =
    "48a0af61e7ff835ef2a89d2951da780c951702fb218a402321872624fc530789c8246bba36fc67dc0bb3f68ff4";

// ffmpeg -f lavfi -i "sine=r=48000:d=0.1" -c:a libopus -af pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0
// -mapping_family 1 -b:a 24k out.mp4
inline constexpr std::string_view kOpus51Config = "000601380000bb800000010402000401020305";

// ffmpeg -f lavfi -i "sine=r=48000:d=0.2" -c:a libopus -ac 1 -frame_duration 60 -b:a 8k out.mp4
inline constexpr std::string_view kOpus60msConfig = "000101380000bb80000000";
inline constexpr std::string_view kOpus60msFirst =
    "18e0b88d11515626d67afb007aa6ee4eb2566dac8afac69276aea4941bbed1474cadcf4c4cc3f7e462e915ddb7f74d49fdfb"
    "05d05dde77420c1fd880";

}  // namespace stoa::media::vectors
